// Sums of byte products in 16 bits: the same integers, the order of the steps, and what may overflow.
#include "lower/sum_in_i16.h"

#include "ir/loop_hints.h"
#include "lower/test_support.h"
#include "lower/unroll_loops.h"

namespace mlc::lower {
namespace {

// Eight steps of 4-bit codes: sums of pairs in 16 bits, two steps in each turn of a loop that stays one.
TEST(SumInI16, KeepsTheOrderOfStepsAndTheResult) {
  const Target avx2 = Target::parse("x86_64-linux-gnu -mcpu=haswell").value();
  for (const int rows : {1, 3, 8}) {
    const std::string n = std::to_string(rows);
    const ir::PrimFunc f = parse("func f(w: u32[4, 16], x: i32[" + n + ", 8], d: i32[" + n + R"(, 16]) {
      for s in 0 +: 8 unrolled {
        for mi in 0 +: )" + n + R"( unrolled {
          d[mi, ramp(0, 1, 16)] = @dot4_u7s8<i32x16>(d[mi, ramp(0, 1, 16)],
            reinterpret<i32x16>(w[s // 2, ramp(0, 1, 16)] >> broadcast(cast<u32>(s % 2) * 4u32, 16)
                                & broadcast(252645135u32, 16)), broadcast(x[mi, s], 16))
        }
      }
    })");
    const ir::PrimFunc after = sum_in_i16(f, avx2);
    int kept = 0, wide = 0;
    ir::for_each_stmt(after.body, [&](const ir::Stmt& s) {
      const ir::For* loop = ir::as<ir::For>(s);
      kept += loop && loop->annotations.count(ir::kKeepLoopKey) > 0;
    });
    ir::for_each_expr(after.body, [&](const ir::Expr& e) {
      const ir::Call* c = ir::as<ir::Call>(e);
      wide += c && c->intrinsic == "dot4_u7s8";
    });
    EXPECT_EQ(kept, rows * 2 > 8 ? 2 : 1) << ir::print(after);
    EXPECT_EQ(wide, 0);
    expect_same(f, unroll_loops(after), {});
  }
}

// What the sums start with comes behind the steps, or, in two parts that are known to fit, into the 16-bit sums.
TEST(SumInI16, StartsWithTwoParts) {
  const Target avx2 = Target::parse("x86_64-linux-gnu -mcpu=haswell").value();
  for (const int rows : {1, 4, 8}) {
    for (const bool known : {false, true}) {
      const std::string n = std::to_string(rows);
      ir::PrimFunc f = parse("func f(w: u32[4, 16], x: i32[" + n + ", 8], z: i16[" + n + ", 2], d: i32[" + n +
                             R"(, 16]) {
        for a in 0 +: )" + n +
                             R"( unrolled {
          d[a, ramp(0, 1, 16)] = broadcast(cast<i32>(z[a, 0]) + cast<i32>(z[a, 1]), 16)
        }
        for s in 0 +: 8 unrolled {
          for mi in 0 +: )" + n +
                             R"( unrolled {
            d[mi, ramp(0, 1, 16)] = @dot4_u7s8<i32x16>(d[mi, ramp(0, 1, 16)],
              reinterpret<i32x16>(w[s // 2, ramp(0, 1, 16)] >> broadcast(cast<u32>(s % 2) * 4u32, 16)
                                  & broadcast(252645135u32, 16)), broadcast(x[mi, s], 16))
          }
        }
      })");
      if (known) f.attrs[ir::kHalvesFitKey] = int64_t{1};
      const ir::PrimFunc after = sum_in_i16(f, avx2);
      int words = 0, halves = 0;
      ir::for_each_expr(after.body, [&](const ir::Expr& e) {
        words += ir::as<ir::LoadBits>(e) != nullptr;
        const auto* l = ir::as<ir::Load>(e);
        halves += l && l->buffer->name == "z";
      });
      EXPECT_EQ(words > 0, known) << ir::print(after);
      EXPECT_EQ(halves > 0, !known) << ir::print(after);
      Memory memory = random_memory(f, {}, 7);
      if (known) {  // what the attribute promises: with 8 steps of at most 2 * 15 * 128 they fit
        for (int64_t i = 0; i < rows * 2; ++i) reinterpret_cast<int16_t*>(memory[2].data())[i] >>= 5;
      }
      const ir::PrimFunc plain = unroll_loops(after);
      EXPECT_EQ(interpret(f, memory, {}), interpret(plain, memory, {})) << ir::print(plain);
    }
  }
}

TEST(SumInI16, LeavesWhatMayOverflowAlone) {
  const Target avx2 = Target::parse("x86_64-linux-gnu -mcpu=haswell").value();
  const ir::PrimFunc f = parse(R"(func f(w: u32[8, 16], x: i32[8], d: i32[16]) {
    for s in 0 +: 8 unrolled {
      d[ramp(0, 1, 16)] = @dot4_u7s8<i32x16>(d[ramp(0, 1, 16)], reinterpret<i32x16>(w[s, ramp(0, 1, 16)]
                                             & broadcast(2139062143u32, 16)), broadcast(x[s], 16))
    }
  })");
  EXPECT_EQ(ir::print(sum_in_i16(f, avx2)), ir::print(f));
}

}  // namespace
}  // namespace mlc::lower
