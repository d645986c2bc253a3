// Sums of products of any bytes with AVX2: the same integers, inputs widened once, and what is left alone.
#include "lower/widen_inputs.h"

#include "ir/loop_hints.h"
#include "lower/test_support.h"
#include "lower/unroll_loops.h"

namespace mlc::lower {
namespace {

const Target& avx2() {
  static const Target* t = new Target(Target::parse("x86_64-linux-gnu -mcpu=haswell").value());
  return *t;
}

int dots(const ir::PrimFunc& f) {
  int n = 0;
  ir::for_each_expr(f.body, [&](const ir::Expr& e) {
    const ir::Call* c = ir::as<ir::Call>(e);
    n += c && c->intrinsic.starts_with("dot4");
  });
  return n;
}

ir::PrimFunc sums(int rows, int steps, const std::string& word) {
  const std::string m = std::to_string(rows), k = std::to_string(steps);
  return parse("func f(w: u32[" + k + ", 16], x: i32[" + m + ", 64], d: i32[" + m + ", 16]) {\n for s in 0 +: " + k +
               " unrolled {\n for mi in 0 +: " + m + R"( unrolled {
        d[mi, ramp(0, 1, 16)] = @dot4_u8s8<i32x16>(d[mi, ramp(0, 1, 16)], reinterpret<i32x16>(w[s, ramp(0, 1, 16)]),
                                                   broadcast(x[mi, )" +
               word + "], 16))\n }\n }\n }");
}

TEST(WidenInputs, GivesTheSameSums) {
  for (const int rows : {1, 3, 4, 5, 8}) {
    for (const int steps : {8, 16}) {
      const ir::PrimFunc f = sums(rows, steps, "s + 3");
      const ir::PrimFunc after = widen_inputs(f, avx2());
      EXPECT_EQ(dots(after), 0) << ir::print(after);
      int kept = 0, words = 0;
      ir::for_each_stmt(after.body, [&](const ir::Stmt& s) {
        const ir::For* loop = ir::as<ir::For>(s);
        kept += loop && loop->annotations.count(ir::kKeepLoopKey) > 0;
        const ir::Store* store = ir::as<ir::Store>(s);
        words += store && store->buffer->name == "wide";
      });
      EXPECT_EQ(kept, rows * 2 > 8 ? 2 : 1) << ir::print(after);
      EXPECT_EQ(words, steps / 8 * 2);
      expect_same(f, unroll_loops(after), {});
    }
  }
}

// Inputs that do not lie side by side, steps that are no whole vector, and a processor that has the instruction.
TEST(WidenInputs, LeavesTheRestToLegalizeDot) {
  for (const ir::PrimFunc& f : {sums(4, 8, "s * 2"), sums(4, 6, "s"), sums(4, 8, "5 - s + 2")}) {
    EXPECT_EQ(ir::print(widen_inputs(f, avx2())), ir::print(f));
  }
  const ir::PrimFunc f = sums(4, 8, "s");
  EXPECT_EQ(ir::print(widen_inputs(f, avx512())), ir::print(f));
}

}  // namespace
}  // namespace mlc::lower
