#include "ir/interp.h"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>

#include "ir/intrinsics.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace mlc::ir {
namespace {

template <typename T>
RawBuffer raw(std::vector<T>& v) {
  return {v.data(), static_cast<int64_t>(v.size() * sizeof(T))};
}
PrimFunc parsed(const std::string& text) {
  Result<PrimFunc> f = parse_func(text);
  EXPECT_TRUE(f) << f.error().message;
  return f ? *f : PrimFunc{};
}
std::string run(const std::string& text, const std::vector<RawBuffer>& buffers,
                const std::vector<int64_t>& sizes = {}) {
  Result<void> r = interpret(parsed(text), buffers, sizes);
  return r ? "" : r.error().message;
}
// The value of an expression of type T in terms of nothing.
template <typename T>
T value(const char* type, const std::string& e) {
  std::vector<T> out(1);
  EXPECT_EQ(run(std::string("func f(o: ") + type + "[1]) { o[0] = " + e + " }", {raw(out)}), "") << e;
  return out[0];
}

TEST(Interp, IntegersWrapAndFloor) {
  EXPECT_EQ(value<int8_t>("i8", "100i8 + 100i8"), -56);
  EXPECT_EQ(value<uint8_t>("u8", "3u8 - 5u8"), 254);
  EXPECT_EQ(value<int32_t>("i32", "2147483647i32 * 2i32"), -2);
  EXPECT_EQ(value<int64_t>("i64", "-7 // 2"), -4);
  EXPECT_EQ(value<int64_t>("i64", "-7 % 2"), 1);
  EXPECT_EQ(value<int64_t>("i64", "7 // -2"), -4);
  EXPECT_EQ(value<int64_t>("i64", "7 % -2"), -1);
  EXPECT_EQ(value<uint64_t>("u64", "18446744073709551615u64 // 2u64"), 0x7fffffffffffffffu);
  EXPECT_EQ(value<uint8_t>("u8", "cast<u8>(18446744073709551615u64 > 1u64)"), 1);
  EXPECT_EQ(value<int32_t>("i32", "-8i32 >> 33i32"), -4);
  EXPECT_EQ(value<uint32_t>("u32", "4294967288u32 >> 1u32"), 0x7ffffffcu);
  EXPECT_EQ(value<int16_t>("i16", "1i16 << 15i16"), std::numeric_limits<int16_t>::min());
  EXPECT_EQ(value<uint16_t>("u16", "!1u16"), 0xfffe);
  EXPECT_EQ(value<int8_t>("i8", "-(-128i8)"), -128);
  EXPECT_EQ(value<uint64_t>("u64", "max(18446744073709551615u64, 1u64)"), ~uint64_t{0});
  EXPECT_EQ(value<int32_t>("i32", "@popcount<i32>(-1i32)"), 32);
  EXPECT_EQ(value<int8_t>("i8", "@abs<i8>(-128i8)"), -128);
}

TEST(Interp, CastsSaturateAndRound) {
  EXPECT_EQ(value<int8_t>("i8", "cast<i8>(-128.9f32)"), -128);
  EXPECT_EQ(value<int8_t>("i8", "cast<i8>(1e10f32)"), 127);
  EXPECT_EQ(value<int8_t>("i8", "cast<i8>(-1.9f32)"), -1);
  EXPECT_EQ(value<uint8_t>("u8", "cast<u8>(-3f32)"), 0);
  EXPECT_EQ(value<uint64_t>("u64", "cast<u64>(1e30f64)"), ~uint64_t{0});
  EXPECT_EQ(value<int64_t>("i64", "cast<i64>(f32(-inf))"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(value<int32_t>("i32", "cast<i32>(f32(nan))"), 0);
  EXPECT_EQ(value<uint8_t>("bool", "cast<bool>(0.5f32)"), 1);
  EXPECT_EQ(value<float>("f32", "cast<f32>(16777217)"), 16777216.0f);
  // 2^60 + 2^36 + 1 is just above the middle of two floats: through a double it would round down.
  EXPECT_EQ(value<float>("f32", "cast<f32>(1152921573326323713)"), std::nextafter(std::ldexp(1.0f, 60), INFINITY));
  EXPECT_EQ(value<uint16_t>("bf16", "cast<bf16>(1157425104234217473)"), 0x5d81);
  EXPECT_EQ(value<uint16_t>("f16", "cast<f16>(65519f32)"), 0x7bff);
  EXPECT_EQ(value<uint16_t>("f16", "cast<f16>(65520f32)"), 0x7c00);
  // Just above the middle of 1 and its successor, by less than a float can tell.
  EXPECT_EQ(value<uint16_t>("f16", "cast<f16>(1.00048828125000001f64)"), 0x3c00);
  EXPECT_EQ(value<uint16_t>("f16", "cast<f16>(1.000488281250001f64)"), 0x3c01);
  EXPECT_EQ(value<int8_t>("i8", "cast<i8>(300i32)"), 44);
}

TEST(Interp, Floats) {
  EXPECT_EQ(value<float>("f32", "16777216f32 + 1f32"), 16777216.0f);
  EXPECT_EQ(value<uint16_t>("f16", "2048f16 + 1f16"), f32_to_f16(2048.0f));
  EXPECT_EQ(value<uint16_t>("bf16", "1bf16 + 0.00390625bf16"), f32_to_bf16(1.0f));
  EXPECT_EQ(value<float>("f32", "min(f32(nan), 2f32)"), 2.0f);
  EXPECT_EQ(value<float>("f32", "max(2f32, f32(nan))"), 2.0f);
  EXPECT_EQ(value<uint8_t>("bool", "f32(nan) == f32(nan)"), 0);
  EXPECT_EQ(value<uint8_t>("bool", "f32(nan) != f32(nan)"), 1);
  EXPECT_EQ(value<float>("f32", "@round<f32>(2.5f32) + @round<f32>(-0.5f32)"), 2.0f);
  EXPECT_EQ(value<float>("f32", "@exp<f32>(1f32)"), std::exp(1.0f));
  EXPECT_EQ(value<float>("f32", "@rsqrt<f32>(4f32)"), 0.5f);
  const float a = 1.0f + 0x1p-12f;
  EXPECT_EQ(value<float>("f32", "@fma<f32>(1.00024414f32, 1.00024414f32, -1f32)"), std::fmaf(a, a, -1.0f));
  EXPECT_NE(value<float>("f32", "1.00024414f32 * 1.00024414f32 - 1f32"), std::fmaf(a, a, -1.0f));
}

TEST(Interp, VectorsAndBits) {
  std::vector<int8_t> a(64);
  for (int i = 0; i < 64; ++i) a[static_cast<size_t>(i)] = static_cast<int8_t>(i * 3 - 90);
  std::vector<int32_t> o(4, -1);
  EXPECT_EQ(run("func f(a: i8[64], o: i32[4]) { o[0] = load_bits<i32>(a[5]) "
                "o[1] = reduce_add(load_bits<i32x16>(a[0])) "
                "o[2] = reduce_max(cast<i32x8>(a[ramp(62, -2, 8)])) "
                "o[3] = reinterpret<i32>(shuffle([a[ramp(0, 1, 4)], a[ramp(8, 1, 4)]], [7, 0, 6, 1])) }",
                {raw(a), raw(o)}),
            "");
  int32_t bits;
  std::memcpy(&bits, &a[5], 4);
  EXPECT_EQ(o[0], bits);
  uint32_t sum = 0;
  for (size_t i = 0; i < 64; i += 4) {
    std::memcpy(&bits, &a[i], 4);
    sum += static_cast<uint32_t>(bits);
  }
  EXPECT_EQ(o[1], static_cast<int32_t>(sum));
  EXPECT_EQ(o[2], a[62]);
  const int8_t picked[4] = {a[11], a[0], a[10], a[1]};
  std::memcpy(&bits, picked, 4);
  EXPECT_EQ(o[3], bits);
}

TEST(Interp, PredicatesGuardLanes) {
  std::vector<float> a = {1, 2, 3}, o(8, 9);
  EXPECT_EQ(run("func f<n>(a: f32[n], o: f32[8]) { o[ramp(0, 1, 8) where ramp(0, 1, 8) < broadcast(5, 8)] = "
                "a[ramp(0, 1, 8) where ramp(0, 1, 8) < broadcast(n, 8)] }",
                {raw(a), raw(o)}, {3}),
            "");
  EXPECT_EQ(o, (std::vector<float>{1, 2, 3, 0, 0, 9, 9, 9}));
}

TEST(Interp, VectorReduceFoldsFromLaneZero) {
  std::vector<float> a = {1, 1e8f, -1e8f, 1}, o(1);
  EXPECT_EQ(run("func f(a: f32[4], o: f32[1]) { o[0] = reduce_add(a[ramp(0, 1, 4)]) }", {raw(a), raw(o)}), "");
  EXPECT_EQ(o[0], ((1 + 1e8f) - 1e8f) + 1);
}

TEST(Interp, BlocksInitOnceAndGuard) {
  // A matmul whose loops run backwards over k: init belongs to the instance with k = 0, wherever it comes.
  std::vector<float> a(6), o(2, 77);
  for (size_t i = 0; i < 6; ++i) a[i] = static_cast<float>(i + 1);
  const std::string text = R"(func f(A: f32[2, 3], C: f32[2]) {
    for m in 0 +: 4 { for k in 0 +: 3 {
      block sum(spatial vm in 2 = m, reduce vk in 3 = k) where m < 2 {
        init { C[vm] = 0f32 }
        C[vm] = C[vm] + A[vm, vk]
      } } } })";
  EXPECT_EQ(run(text, {raw(a), raw(o)}), "");
  EXPECT_EQ(o, (std::vector<float>{6, 15}));
  std::string bad = text;
  bad.replace(bad.find("where m < 2"), 11, "");
  EXPECT_NE(run(bad, {raw(a), raw(o)}).find("bound to 2, outside its domain [0, 2)"), std::string::npos);
}

TEST(Interp, ErrorsNameTheStatement) {
  std::vector<float> a(4);
  EXPECT_EQ(run("func f(A: f32[4]) { for i in 0 +: 9 { A[i] = 1f32 } }", {raw(a)}),
            "function f: index 4 of dimension 0 of buffer A is outside [0, 4)\nin\n  A[i] = 1f32");
  EXPECT_EQ(run("func f<n>(A: f32[n]) { A[0] = cast<f32>(1 // (n - n)) }", {raw(a)}, {4}),
            "function f: division of 1 by zero\nin\n  A[0] = cast<f32>(1 // (n - n))");
  EXPECT_NE(run("func f<n>(A: f32[n]) { assume n < 3 }", {raw(a)}, {4}).find("does not hold"), std::string::npos);
  EXPECT_NE(run("func f<n>(A: f32[n]) { A[0] = 1f32 }", {raw(a)}, {5}).find("needs 20 bytes"), std::string::npos);
  EXPECT_NE(run("func f(A: f32[4]) { A[0] = cast<f32>(load_bits<i64>(A[3])) }", {raw(a)}).find("load_bits of 8 bytes"),
            std::string::npos);
  EXPECT_EQ(run("func f(A: f32[4]) { prefetch A[1000000] locality 0 }", {raw(a)}), "");
}

// The classic tree reduction in shared memory, 3 groups of 8 threads.
TEST(Interp, ThreadsMeetAtBarriers) {
  std::vector<float> a(24), o(3);
  for (size_t i = 0; i < 24; ++i) a[i] = static_cast<float>(i);
  const std::string text = R"(func f(A: f32[24], O: f32[3]) {
    for b in 0 +: 3 thread "blockIdx.x" {
      alloc s: f32[8] shared { alloc mine: f32[1] local {
        for t in 0 +: 8 thread "threadIdx.x" {
          mine[0] = A[b * 8 + t]
          s[t] = mine[0]
          for step in 0 +: 3 {
            barrier shared
            if t < 4 >> step { mine[0] = mine[0] + s[t + (4 >> step)] }
            barrier shared
            s[t] = mine[0]
          }
          if t == 0 { O[b] = mine[0] }
        } } } } })";
  EXPECT_EQ(run(text, {raw(a), raw(o)}), "");
  EXPECT_EQ(o, (std::vector<float>{28, 92, 156}));
  // Without barriers the threads run one after the other, and the sum is wrong.
  std::string racy = text;
  for (size_t at; (at = racy.find("barrier shared")) != std::string::npos;) racy.erase(at, 14);
  EXPECT_EQ(run(racy, {raw(a), raw(o)}), "");
  EXPECT_NE(o[0], 28);
  std::string divergent = text;
  divergent.replace(divergent.find("for step in 0 +: 3"), 18, "for step in 0 +: t");
  EXPECT_NE(run(divergent, {raw(a), raw(o)}).find("the extent of a loop around a barrier differs"), std::string::npos);
}

TEST(Interp, SharedMemoryAllocatedInsideTheThreads) {
  std::vector<int32_t> o(12, -1);
  const std::string text = R"(func f(O: i32[12]) {
    for y in 0 +: 3 thread "threadIdx.y" { for x in 0 +: 4 thread "threadIdx.x" {
      alloc s: i32[12] shared {
        s[y * 4 + x] = cast<i32>(y * 4 + x)
        barrier shared
        O[y * 4 + x] = s[11 - (y * 4 + x)]
      } } } })";
  EXPECT_EQ(run(text, {raw(o)}), "");
  for (int i = 0; i < 12; ++i) EXPECT_EQ(o[static_cast<size_t>(i)], 11 - i);
}

// Every TensorIntrin: desc and impl compute the same from random bytes.
TEST(Interp, TensorIntrinsAgreeWithTheirDescriptions) {
  std::mt19937 rng(7);
  for (const TensorIntrin& t : all_tensor_intrins()) {
    for (int round = 0; round < 20; ++round) {
      std::vector<std::vector<uint8_t>> data;
      for (const Buffer& b : t.desc.buffers) {
        int64_t bytes = b->dtype.bytes();
        for (const Expr& d : b->shape) bytes *= *as_const_int(d);
        data.emplace_back(static_cast<size_t>(bytes));
        for (size_t i = 0; i < data.back().size(); ++i) data.back()[i] = static_cast<uint8_t>(rng());
        if (!b->dtype.is_float()) continue;
        // Small integers, so that sums are exact in any order.
        for (size_t i = 0; i < data.back().size(); i += static_cast<size_t>(b->dtype.bytes())) {
          const float v = static_cast<float>(static_cast<int>(rng() % 33) - 16);
          const uint16_t h = f32_to_bf16(v);
          if (b->dtype == DType::bf16()) std::memcpy(&data.back()[i], &h, 2);
          if (b->dtype == DType::f32()) std::memcpy(&data.back()[i], &v, 4);
        }
      }
      if (!t.precondition.empty()) {
        for (uint8_t& x : data[0]) x &= 127;
      }
      auto other = data;
      std::vector<RawBuffer> x, y;
      for (auto& d : data) x.push_back(raw(d));
      for (auto& d : other) y.push_back(raw(d));
      Result<void> a = interpret(t.desc, x, {}), b = interpret(t.impl, y, {});
      ASSERT_TRUE(a) << t.name << ": " << a.error().message;
      ASSERT_TRUE(b) << t.name << ": " << b.error().message;
      EXPECT_EQ(data, other) << t.name;
    }
  }
}

TEST(Interp, PmaddubswSaturates) {
  std::vector<uint8_t> a(32, 255);
  std::vector<int8_t> b(32, 127);
  std::vector<int16_t> o(16);
  EXPECT_EQ(run("func f(a: u8[32], b: i8[32], o: i16[16]) { o[ramp(0, 1, 16)] = "
                "@x86.pmaddubsw.256<i16x16>(a[ramp(0, 1, 32)], b[ramp(0, 1, 32)]) }",
                {raw(a), raw(b), raw(o)}),
            "");
  EXPECT_EQ(o[0], 32767);
}

TEST(Interp, Dot2AddsTheHighProductFirst) {
  // Words are high << 16 | low. (1, 1) times (2^24, -2^24) on 1: 1 + 2^24 rounds to 2^24, which the low product takes
  // away; that one first would leave 1.
  EXPECT_EQ(value<float>("f32", "@dot2_bf16<f32>(1.0f32, 1065369472u32, 1266731904u32)"), 0.0f);
  // (3, 0.5) and (5, 4) on 10.
  EXPECT_EQ(value<float>("f32", "@dot2_bf16<f32>(10.0f32, 1077952256u32, 1084244096u32)"), 27.0f);
}

TEST(Interp, Dot4MixesSigns) {
  // Bytes 1, 2, 3, 255 (unsigned) times -1, 2, -128, 127 (signed), on 10.
  EXPECT_EQ(value<int32_t>("i32",
                           "@dot4_u8s8<i32>(10i32, reinterpret<i32>(4278387201u32), "
                           "reinterpret<i32>(2139095807u32))"),
            10 + 1 * -1 + 2 * 2 + 3 * -128 + 255 * 127);
}

TEST(Interp, SmmlaIsAMatrixProduct) {
  std::mt19937 rng(1);
  std::vector<int8_t> a(16), b(16);
  for (auto* v : {&a, &b}) {
    for (int8_t& x : *v) x = static_cast<int8_t>(rng());
  }
  std::vector<int32_t> o(4, 5);
  EXPECT_EQ(run("func f(a: i8[16], b: i8[16], o: i32[4]) { o[ramp(0, 1, 4)] = "
                "@arm.smmla<i32x4>(o[ramp(0, 1, 4)], a[ramp(0, 1, 16)], b[ramp(0, 1, 16)]) }",
                {raw(a), raw(b), raw(o)}),
            "");
  for (size_t i = 0; i < 2; ++i) {
    for (size_t j = 0; j < 2; ++j) {
      int32_t sum = 5;
      for (size_t k = 0; k < 8; ++k) sum += a[i * 8 + k] * b[j * 8 + k];
      EXPECT_EQ(o[i * 2 + j], sum);
    }
  }
}

TEST(Intrinsics, AreWellFormed) {
  for (const HwInstruction& h : all_instructions()) {
    EXPECT_TRUE(verify(h.meaning, Level::kGraph)) << h.name;
    ASSERT_EQ(h.meaning.buffers.size(), h.args.size() + 1) << h.name;
    for (size_t i = 0; i <= h.args.size(); ++i) {
      const DType t = i < h.args.size() ? h.args[i] : h.result;
      const Buffer& b = h.meaning.buffers[i];
      EXPECT_EQ(b->dtype, t.scalar()) << h.name;
      EXPECT_EQ(*as_const_int(b->shape[0]), t.lanes) << h.name;
    }
  }
  for (const TensorIntrin& t : all_tensor_intrins()) {
    EXPECT_TRUE(verify(t.desc, Level::kScheduled)) << t.name;
    EXPECT_TRUE(verify(t.impl, Level::kLowered)) << t.name;
  }
  auto has = [](std::string_view f) { return f == "avx512vnni" || f == "avx512vl"; };
  EXPECT_TRUE(feature_satisfied("avxvnni|avx512vnni+avx512vl", has));
  EXPECT_FALSE(feature_satisfied("avxvnni|avx512vnni+avx512bf16", has));
}

// The interpreter is a reference for kernels of some size: a 64 x 64 x 64 matmul takes well under a second.
TEST(Interp, IsFastEnough) {
  std::vector<float> a(4096, 1), b(4096, 2), c(4096);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(run("func f(A: f32[64, 64], B: f32[64, 64], C: f32[64, 64]) { for i in 0 +: 64 { for j in 0 +: 64 { "
                "C[i, j] = 0f32 for k in 0 +: 64 { C[i, j] = C[i, j] + A[i, k] * B[k, j] } } } }",
                {raw(a), raw(b), raw(c)}),
            "");
  EXPECT_EQ(c[77], 128.0f);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(took.count()));
  EXPECT_LT(took.count(), 5.0);
}

}  // namespace
}  // namespace mlc::ir
