// Each pass keeps the meaning (the interpreter before and after) and does what it is for (the text or the tree after).
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "arith/simplify.h"
#include "ir/interp.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ir/visit.h"
#include "lower/compact_buffers.h"
#include "lower/lower_blocks.h"
#include "lower/partition_loops.h"
#include "lower/pipeline.h"
#include "lower/test_support.h"
#include "lower/unroll_loops.h"
#include "lower/vectorize_loops.h"

namespace mlc::lower {
namespace {

const char* const kMatmul = R"(
func matmul<M>(A: f32[M, 24], B: f32[24, 40], C: f32[M, 40]) {
  for io in 0 +: (M + 3) // 4 parallel {
    for j in 0 +: 40 {
      for ii in 0 +: 4 {
        for k in 0 +: 24 {
          block C(spatial vm in M = io * 4 + ii, spatial vn in 40 = j, reduce vk in 24 = k) where io * 4 + ii < M {
            reads A[vm +: 1, vk +: 1], B[vk +: 1, vn +: 1], C[vm +: 1, vn +: 1]
            writes C[vm +: 1, vn +: 1]
            init { C[vm, vn] = 0f32 }
            C[vm, vn] = C[vm, vn] + A[vm, vk] * B[vk, vn]
          }
        }
      }
    }
  }
})";

TEST(LowerBlocks, InitGuardAndPredicate) {
  const auto f = parse(kMatmul);
  const auto g = lower_blocks(f);
  EXPECT_EQ(count<ir::Block>(g), 0);
  EXPECT_EQ(count<ir::If>(g), 2);  // the predicate and the init
  for (int64_t m : {0, 1, 4, 7}) expect_same(f, g, {m});
}

TEST(PartitionLoops, HotPathHasNoGuard) {
  const auto f = parse(kMatmul);
  const auto g = partition_loops(lower_blocks(f));
  for (int64_t m : {0, 1, 3, 4, 5, 8, 11}) expect_same(f, g, {m});
  // The parallel loop has an If between the full tile, without the predicate, and the tail.
  const auto* loop = ir::as<ir::For>(g.body);
  ASSERT_NE(loop, nullptr);
  const auto* choice = ir::as<ir::If>(loop->body);
  ASSERT_NE(choice, nullptr) << ir::print(g);
  int guards = 0;
  ir::for_each_expr(choice->then_case, [&](const ir::Expr& e) {
    const auto* b = ir::as<ir::Binary>(e);
    guards += b && b->op == ir::BinaryOp::kLt;
  });
  EXPECT_EQ(guards, 0) << ir::print(choice->then_case);
}

TEST(PartitionLoops, SerialLoopsAreSplit) {
  const auto f = parse(R"(
func f<n>(A: f32[n], C: f32[n]) {
  for i in 0 +: (n + 15) // 16 {
    for j in 0 +: 16 vectorized {
      if i * 16 + j < n { C[i * 16 + j] = A[i * 16 + j] + 1f32 }
    }
  }
})");
  const auto g = lowered(f);
  for (int64_t n : {0, 1, 15, 16, 17, 64, 65}) expect_same(f, g, {n});
  int plain = 0, guarded = 0;
  ir::for_each_stmt(g.body, [&](const ir::Stmt& s) {
    if (const auto* st = ir::as<ir::Store>(s)) (st->predicate ? guarded : plain)++;
  });
  EXPECT_EQ(plain, 1) << ir::print(g);
  EXPECT_EQ(guarded, 1) << ir::print(g);
}

TEST(VectorizeLoops, GuardsBecomePredicates) {
  const auto f = parse(R"(
func f<n>(A: f32[n], B: f32[1], C: f32[n], D: i32[n]) {
  for i in 0 +: (n + 7) // 8 {
    for j in 0 +: 8 vectorized {
      if i * 8 + j < n {
        if A[i * 8 + j] > 0f32 { C[i * 8 + j] = A[i * 8 + j] * B[0] } else { C[i * 8 + j] = cast<f32>(D[i * 8 + j] % 5i32) }
      }
    }
  }
})");
  const auto g = lowered(f);
  EXPECT_EQ(count<ir::If>(g), 0) << ir::print(g);
  for (int64_t n : {0, 3, 8, 21}) expect_same(f, g, {n});
}

TEST(VectorizeLoops, GatherReverseStrideBroadcast) {
  const auto f = parse(R"(
func f(A: f32[64], I: i32[16], C: f32[16, 6], S: f32[16]) {
  for j in 0 +: 16 vectorized {
    C[j, 0] = A[cast<i64>(I[j] & 63i32)]
    C[j, 1] = A[15 - j]
    C[j, 2] = A[j * 3 + 2]
    C[j, 3] = A[7] + cast<f32>(j)
    C[j, 4] = select(A[j] < 0f32, -(A[j]), A[j + 1])
    C[j, 5] = cast<f32>(j // 3 + j % 5) + reinterpret<f32>(I[j] & 1048575i32)
    S[15 - j] = A[j]
  }
})");
  const auto g = lowered(f);
  EXPECT_EQ(count<ir::For>(g), 0) << ir::print(g);
  expect_same(f, g, {});
}

TEST(VectorizeLoops, InnerLoopsLetsAndBuffers) {
  const auto f = parse(R"(
func f<n>(A: f32[16, n], C: f32[16]) {
  for j in 0 +: 16 vectorized {
    alloc acc: f32[2] local {
      acc[0] = 0f32
      acc[1] = 1f32
      for k in 0 +: n {
        let x: f32 = A[j, k] {
          acc[0] = acc[0] + x
          acc[1] = max(acc[1], x * x)
        }
      }
      C[j] = acc[0] / acc[1]
    }
  }
})");
  const auto g = lowered(f);
  for (int64_t n : {0, 1, 5}) expect_same(f, g, {n});
  bool vector = false;
  ir::for_each_expr(g.body, [&](const ir::Expr& e) { vector = vector || e.dtype() == DType::f32().with_lanes(16); });
  EXPECT_TRUE(vector) << ir::print(g);
}

TEST(VectorizeLoops, WhatHasNoVectorFormStaysSerial) {
  for (const char* body : {"for k in 0 +: j { C[j] = C[j] + 1f32 }",  // another extent per lane
                           "C[j] = sum(broadcast(C[j], 4))",          // vector code inside
                           "if C[j] > 0f32 { D[j] = 7 // D[j] }",     // may divide by zero
                           "C[j] = reinterpret<f32>(load_bits<i32>(C[j]))"}) {
    std::string sum = body;
    if (auto at = sum.find("sum("); at != std::string::npos) sum.replace(at, 4, "reduce_add(");
    const auto parsed = ir::parse_func("func f(C: f32[8], D: i64[8]) { for j in 0 +: 8 vectorized { " + sum + " } }");
    ASSERT_TRUE(parsed) << parsed.error().message;
    const auto g = lowered(*parsed);
    EXPECT_GE(count<ir::For>(g), 1) << ir::print(g);
    const Memory memory = [&] {
      Memory m = random_memory(*parsed, {}, 3);
      for (int i = 0; i < 8; ++i) reinterpret_cast<int64_t*>(m[1].data())[i] = i - 4 ? i - 4 : 9;
      return m;
    }();
    EXPECT_EQ(interpret(*parsed, memory, {}), interpret(g, memory, {})) << ir::print(g);
  }
}

TEST(UnrollLoops, ConstantIndices) {
  const auto f = parse(R"(
func f<n>(A: f32[n, 3], C: f32[3]) {
  alloc acc: f32[3] local {
    for i in 0 +: 3 unrolled { acc[i] = 0f32 }
    for k in 0 +: n { for i in 0 +: 3 unrolled { acc[i] = acc[i] + A[k, i] } }
    for i in 0 +: 3 unrolled { C[i] = acc[i] }
  }
})");
  const auto g = lowered(f);
  EXPECT_EQ(count<ir::For>(g), 1);
  for (int64_t n : {0, 2, 9}) expect_same(f, g, {n});
}

TEST(UnrollLoops, HugeLoopsStayLoops) {
  const auto f = parse("func f(C: f32[5000]) { for i in 0 +: 5000 unrolled { C[i] = cast<f32>(i) } }");
  const auto g = lowered(f);
  EXPECT_EQ(count<ir::For>(g), 1);
  expect_same(f, g, {});
}

// An intermediate tensor computed at the loop that uses it.
TEST(CompactBuffers, MovesIntoTheLoopAndShrinks) {
  const auto f = parse(R"(
func f(A: f32[64, 32], C: f32[64, 32]) {
  alloc T: f32[64, 32] {
    for i in 0 +: 64 parallel {
      for j in 0 +: 32 { T[i, j] = A[i, j] * 2f32 }
      for j in 0 +: 32 { C[i, j] = T[i, 31 - j] + 1f32 }
    }
  }
})");
  const auto g = arith::simplify(compact_buffers(f));
  expect_same(f, g, {});
  ir::Buffer t;
  ir::for_each_stmt(g.body, [&](const ir::Stmt& s) {
    if (const auto* a = ir::as<ir::Allocate>(s)) t = a->buffer;
  });
  ASSERT_TRUE(t);
  EXPECT_TRUE(ir::is_const(t->shape[0], 1)) << ir::print(g);
  EXPECT_TRUE(ir::is_const(t->shape[1], 32));
  EXPECT_NE(ir::as<ir::For>(g.body), nullptr) << "the allocation is inside the parallel loop\n" << ir::print(g);
}

TEST(CompactBuffers, TilesWithHaloKeepTheirRange) {
  const auto f = parse(R"(
func f(A: f32[70], C: f32[64]) {
  alloc T: f32[70] {
    for i in 0 +: 8 {
      for j in 0 +: 10 { T[i * 10 + j - i * 2] = A[i * 8 + j - 2 + 2] * 2f32 }
      for j in 0 +: 8 { C[i * 8 + j] = T[i * 8 + j] + T[i * 8 + j + 2] }
    }
  }
})");
  expect_same(f, compact_buffers(f), {});
}

// A running sum is carried from one iteration to the next.
TEST(CompactBuffers, WhatIsCarriedStaysOutside) {
  const auto f = parse(R"(
func f(A: f32[64], C: f32[64]) {
  alloc T: f32[2] {
    T[0] = 0f32
    for i in 0 +: 64 {
      T[0] = T[0] + A[i]
      C[i] = T[0]
    }
  }
})");
  expect_same(f, compact_buffers(f), {});
  const auto g = parse(R"(
func f(A: f32[64], C: f32[64]) {
  alloc T: f32[2] {
    for i in 0 +: 64 {
      if i == 0 { T[0] = 0f32 }
      T[0] = T[0] + A[i]
      C[i] = T[0]
    }
  }
})");
  expect_same(g, compact_buffers(g), {});
}

TEST(CompactBuffers, UnusedAllocationsVanish) {
  const auto f = parse("func f(C: f32[1]) { alloc T: f32[8] { C[0] = 1f32 } }");
  EXPECT_EQ(count<ir::Allocate>(compact_buffers(f)), 0);
}

// 16-bit types on machines with and without instructions for them: all 65536 values, and arithmetic.
TEST(LegalizeDtypes, ConversionsAreExact) {
  const auto f = parse(R"(
func f(H: f16[65536], B: bf16[65536], F: f32[65536], G: f32[65536], H2: f16[65536], B2: bf16[65536], D: f64[65536],
       H3: f16[65536], B3: bf16[65536], I: i64[65536], H4: f16[65536], B4: bf16[65536]) {
  for i in 0 +: 65536 {
    F[i] = cast<f32>(H[i])
    G[i] = cast<f32>(B[i])
    H2[i] = cast<f16>(G[i])
    B2[i] = cast<bf16>(F[i] * 1.0001f32)
    H3[i] = cast<f16>(D[i])
    B3[i] = cast<bf16>(D[i])
    H4[i] = cast<f16>(I[i])
    B4[i] = cast<bf16>(I[i])
  }
})");
  for (const Target* t : {&avx512(), &baseline()}) {
    const auto g = lowered(f, *t);
    Memory memory = random_memory(f, {}, 5);
    std::mt19937_64 rng(1);
    for (int i = 0; i < 65536; ++i) {
      reinterpret_cast<uint16_t*>(memory[0].data())[i] = static_cast<uint16_t>(i);
      reinterpret_cast<uint16_t*>(memory[1].data())[i] = static_cast<uint16_t>(i);
      // Around the middle between two 16-bit values, where double rounding shows.
      const double exact = f16_to_f32(static_cast<uint16_t>(i & 0x7bff)) * (1 + std::ldexp(1.0, -11));
      reinterpret_cast<double*>(memory[6].data())[i] = exact * (1 + std::ldexp(static_cast<double>(i % 3) - 1, -50));
      const int64_t big = static_cast<int64_t>(rng() >> (rng() % 64));
      const int64_t tie = (int64_t{0x181} << 54) + static_cast<int64_t>(i % 3) - 1;
      reinterpret_cast<int64_t*>(memory[9].data())[i] = i % 4 == 0 ? tie : i % 2 ? -big : big;
    }
    const Memory a = interpret(f, memory, {}), b = interpret(g, memory, {});
    for (size_t k = 0; k < a.size(); ++k) {
      const bool half = f.buffers[k]->dtype.bits == 16, single = f.buffers[k]->dtype == DType::f32();
      for (size_t i = 0; i < 65536 && (half || single); ++i) {
        const uint32_t x = half ? reinterpret_cast<const uint16_t*>(a[k].data())[i]
                                : reinterpret_cast<const uint32_t*>(a[k].data())[i];
        const uint32_t y = half ? reinterpret_cast<const uint16_t*>(b[k].data())[i]
                                : reinterpret_cast<const uint32_t*>(b[k].data())[i];
        const bool bfloat = f.buffers[k]->dtype.is_bfloat();
        const auto is_nan = [&](uint32_t v) {
          return half
                     ? std::isnan(bfloat ? bf16_to_f32(static_cast<uint16_t>(v)) : f16_to_f32(static_cast<uint16_t>(v)))
                     : (v & 0x7fffffff) > 0x7f800000;
        };
        if (is_nan(x) && is_nan(y)) continue;
        ASSERT_EQ(x, y) << f.buffers[k]->name << "[" << i << "] for " << t->cpu;
      }
    }
  }
}

TEST(LegalizeDtypes, ArithmeticRoundsOncePerOperation) {
  const auto f = parse(R"(
func f(A: bf16[256], B: f16[256], C: bf16[256], D: f16[256], E: bool[256], R: f16[4]) {
  for i in 0 +: 256 {
    C[i] = A[i] * A[255 - i] + -(A[i])
    D[i] = min(B[i] / B[255 - i], @abs<f16>(B[i])) - 1f16
    E[i] = A[i] < A[255 - i]
  }
  R[0] = reduce_add(B[ramp(0, 1, 8)])
})");
  for (const Target* t : {&avx512(), &baseline()}) {
    const auto g = lowered(f, *t);
    ir::for_each_expr(g.body, [&](const ir::Expr& e) {
      const auto* b = ir::as<ir::Binary>(e);
      EXPECT_FALSE(b && b->a.dtype().is_float() && b->a.dtype().bits == 16) << ir::print(e);
    });
    Memory memory = random_memory(f, {}, 5);
    for (int i = 0; i < 256; ++i) {
      reinterpret_cast<uint16_t*>(memory[0].data())[i] = f32_to_bf16(static_cast<float>(i - 100) * 0.37f);
      reinterpret_cast<uint16_t*>(memory[1].data())[i] = f32_to_f16(static_cast<float>(i + 1) * 0.73f);
    }
    EXPECT_EQ(interpret(f, memory, {}), interpret(g, memory, {}));
  }
}

// Every way to do an integer dot product, through the interpreter's meaning of the instructions.
TEST(LegalizeDot, EveryTarget) {
  for (const char* text : {"x86_64-linux-gnu", "x86_64-linux-gnu -mcpu=haswell", "x86_64-linux-gnu -mcpu=cascadelake",
                           "x86_64-linux-gnu -mcpu=alderlake", "aarch64-linux-gnu",
                           "aarch64-linux-gnu -mcpu=neoverse-n1", "aarch64-linux-gnu -mcpu=neoverse-v1"}) {
    const Target t = Target::parse(text).value();
    for (int lanes : {1, 2, 4, 8, 16, 32, 36}) {
      for (const char* name : {"dot4_u8s8", "dot4_u7s8"}) {
        const DType v = DType::i32().with_lanes(lanes);
        const std::vector<ir::Expr> all = {ir::ramp(0, 1, lanes)};
        ir::Buffer a = ir::buffer("A", DType::i32(), {lanes}), b = ir::buffer("B", DType::i32(), {1}),
                   c = ir::buffer("C", DType::i32(), {lanes});
        ir::Expr weights = ir::load(a, all);
        if (std::string(name) == "dot4_u7s8") weights = weights & ir::imm(v, 0x7f7f7f7f);
        const ir::PrimFunc f{
            "f",
            {a, b, c},
            {},
            ir::store(c, all, ir::call(v, name, {ir::load(c, all), weights, ir::broadcast(ir::load(b, {0}), lanes)})),
            {}};
        const auto g = lowered(f, t);
        expect_same(f, g, {});
        int calls = 0;
        ir::for_each_expr(g.body, [&](const ir::Expr& e) { calls += ir::as<ir::Call>(e) != nullptr; });
        EXPECT_EQ(ir::print(g).find("dot4"), std::string::npos);
        EXPECT_TRUE(calls == 1 || !t.has("avx512vnni") || lanes != 16) << ir::print(g);
      }
    }
  }
}

// Pairs of bf16 by one instruction or by shifts and multiply-adds: the same bits, as products are exact.
TEST(LegalizeDot, PairsOfBf16) {
  for (const char* text :
       {"x86_64-linux-gnu", "x86_64-linux-gnu -mcpu=haswell", "x86_64-linux-gnu -mcpu=znver4", "aarch64-linux-gnu"}) {
    const Target t = Target::parse(text).value();
    for (int lanes : {1, 4, 8, 16, 32}) {
      const DType v = DType::f32().with_lanes(lanes);
      const std::vector<ir::Expr> all = {ir::ramp(0, 1, lanes)};
      const ir::Buffer a = ir::buffer("A", DType::u32(), {lanes}), b = ir::buffer("B", DType::u32(), {1}),
                       c = ir::buffer("C", DType::f32(), {lanes});
      // Exponents near 1, so that nothing is a NaN or flushed: bits of sign and mantissa only.
      const auto tame = [&](const ir::Expr& e) {
        return (e & ir::imm(e.dtype(), 0x80ff80ff)) | ir::imm(e.dtype(), 0x3f003f00);
      };
      const ir::Expr words = tame(ir::broadcast(ir::load(b, {0}), lanes));
      const ir::PrimFunc f{
          "f",
          {a, b, c},
          {},
          ir::store(c, all, ir::call(v, "dot2_bf16", {ir::load(c, all), tame(ir::load(a, all)), words})),
          {}};
      const auto g = lowered(f, t);
      expect_same(f, g, {});
      const std::string printed = ir::print(g);
      EXPECT_EQ(printed.find("dot2"), std::string::npos);
      EXPECT_EQ(printed.find("vdpbf16ps") != std::string::npos, t.has("avx512bf16") && (lanes == 8 || lanes == 16));
    }
  }
}

TEST(Pipeline, PassesCanBeSwitchedOffAndSeen) {
  ir::Module m;
  m.functions.push_back(parse(kMatmul));
  std::vector<std::string> seen;
  PassHooks hooks;
  hooks.after = [&](std::string_view name, const ir::Module&) { seen.emplace_back(name); };
  hooks.disabled = {"partition_loops"};
  auto r = run(m, avx512(), hooks);
  ASSERT_TRUE(r) << r.error().message;
  std::vector<std::string> expected;
  for (const Pass& p : passes()) {
    if (p.machines != Machines::kGpus && p.name != std::string("partition_loops")) expected.emplace_back(p.name);
  }
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(seen.front(), "lower_blocks");
  expect_same(m.functions[0], r->functions[0], {7});
  hooks.disabled = {"lower_blocks"};
  EXPECT_FALSE(run(m, avx512(), hooks));
  hooks.disabled = {"make_coffee"};
  auto unknown = run(m, avx512(), hooks);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("make_coffee"), std::string::npos);
  EXPECT_NE(unknown.error().message.find("partition_loops"), std::string::npos);
}

TEST(Pipeline, LoweringIsDeterministicAndIdempotent) {
  ir::Module m;
  m.functions.push_back(parse(kMatmul));
  auto a = run(m, avx512()), b = run(m, avx512());
  ASSERT_TRUE(a && b);
  EXPECT_EQ(ir::print(*a), ir::print(*b));
  auto twice = run(*a, avx512());
  ASSERT_TRUE(twice);
  std::string why;
  EXPECT_TRUE(ir::structural_equal(*a, *twice, &why)) << why;
}

}  // namespace
}  // namespace mlc::lower
