#include "quant/scheme.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace mlc::quant {
namespace {

struct Encoded {
  std::vector<Part> parts;
  std::vector<std::vector<std::byte>> data;
  bool fits = true;

  template <typename T>
  T at(size_t part, size_t i) const {
    T x;
    std::memcpy(&x, data[part].data() + i * sizeof(T), sizeof(T));
    return x;
  }
};

Encoded encode(const Scheme& s, const std::vector<float>& w, int64_t n, int64_t k) {
  Encoded e;
  e.parts = s.parts(n, k);
  std::vector<std::span<std::byte>> buffers;
  for (const Part& p : e.parts) e.data.emplace_back(static_cast<size_t>(p.bytes()), std::byte{0xee});
  for (auto& d : e.data) buffers.emplace_back(d);
  // In two pieces, as threads would.
  e.fits = s.encode(w.data(), 0, n / 2, k, buffers);
  e.fits = s.encode(w.data() + n / 2 * k, n / 2, n - n / 2, k, buffers) && e.fits;
  return e;
}

std::vector<float> decode(const Scheme& s, const Encoded& e, int64_t n, int64_t k) {
  std::vector<float> w(static_cast<size_t>(n * k));
  std::vector<std::span<const std::byte>> buffers(e.data.begin(), e.data.end());
  s.decode(buffers, 0, n, k, w.data());
  return w;
}

const Scheme& scheme(const char* name) { return **scheme_by_name(name); }

TEST(Schemes, NamesAndDefaults) {
  EXPECT_EQ(scheme_names(), "q0f32, q0f16, q0bf16, q4f16_1, q4f32_1, q8f16_1");
  EXPECT_EQ(scheme_by_name("q3f16_1").error().message,
            "the quantization \"q3f16_1\" is unknown; supported are q0f32, q0f16, q0bf16, q4f16_1, q4f32_1, q8f16_1");
  EXPECT_EQ(default_scheme(1'000'000'000, DType::bf16()), "q4f16_1");
  EXPECT_EQ(default_scheme(100'000'000, DType::bf16()), "q0bf16");
  EXPECT_EQ(default_scheme(656'000, DType::f32()), "q0f32");
  EXPECT_EQ(default_scheme(656'000, DType::f16()), "q0f16");
  EXPECT_DOUBLE_EQ(scheme("q4f16_1").bits_per_weight(), 4.5);
  EXPECT_DOUBLE_EQ(scheme("q0bf16").bits_per_weight(), 16);
}

TEST(Schemes, FourBitLayoutByHand) {
  // One group: scale = 7/7 = 1, so that code = w + 7; element k at bits 4 (k % 8) of word k / 8.
  std::vector<float> w(32);
  for (int i = 0; i < 32; ++i) w[static_cast<size_t>(i)] = static_cast<float>(i % 15 - 7);
  const Encoded e = encode(scheme("q4f16_1"), w, 1, 32);
  EXPECT_EQ(e.parts[0].suffix, ".q_weight");
  EXPECT_EQ(e.parts[0].shape, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(e.parts[1].suffix, ".q_scale");
  EXPECT_EQ(e.parts[1].dtype, DType::f16());
  EXPECT_EQ(e.at<uint32_t>(0, 0), 0x76543210u);
  EXPECT_EQ(e.at<uint32_t>(0, 1), 0x0edcba98u);
  EXPECT_EQ(e.at<uint32_t>(0, 2), 0x87654321u);
  EXPECT_EQ(e.at<uint32_t>(0, 3), 0x10edcba9u);
  EXPECT_EQ(e.at<uint16_t>(1, 0), 0x3c00);
  EXPECT_EQ(decode(scheme("q4f16_1"), e, 1, 32), w);
}

TEST(Schemes, EightBitLayoutByHand) {
  std::vector<float> w(32, 0.0f);
  w[0] = -127;
  w[1] = 127;
  w[2] = 1;
  w[31] = -1;
  const Encoded e = encode(scheme("q8f16_1"), w, 1, 32);
  EXPECT_EQ(e.parts[0].shape, (std::vector<int64_t>{1, 8}));
  EXPECT_EQ(e.at<uint32_t>(0, 0), 0x7f80fe00u);
  EXPECT_EQ(e.at<uint32_t>(0, 7), 0x7e7f7f7fu);
  EXPECT_EQ(decode(scheme("q8f16_1"), e, 1, 32), w);
}

TEST(Schemes, ZeroGroupsAndTails) {
  // K = 40: the second group has 8 weights, all zero; its padding has code 0.
  std::vector<float> w(40, 0.0f);
  w[3] = 14.0f;
  w[4] = -1.0f;  // half way between codes 6 and 7: away from zero after the shift, which is up
  const Encoded e = encode(scheme("q4f32_1"), w, 1, 40);
  EXPECT_EQ(e.parts[0].shape, (std::vector<int64_t>{1, 8}));
  EXPECT_EQ(e.parts[1].shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(e.at<uint32_t>(0, 0), 0x7777e777u);
  EXPECT_EQ(e.at<float>(1, 0), 2.0f);
  EXPECT_EQ(e.at<uint32_t>(0, 4), 0x77777777u);
  EXPECT_EQ(e.at<uint32_t>(0, 5), 0u);
  EXPECT_EQ(e.at<float>(1, 1), 0.0f);
  const auto back = decode(scheme("q4f32_1"), e, 1, 40);
  EXPECT_EQ(back[3], 14.0f);
  EXPECT_EQ(back[4], 0.0f);
  EXPECT_EQ(back[39], 0.0f);
}

TEST(Schemes, EveryWeightDecodesToTheNearestCode) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  const int64_t n = 37, k = 200;
  std::vector<float> w(static_cast<size_t>(n * k));
  for (size_t i = 0; i < w.size(); ++i) w[i] = normal(rng) * (i % 7 == 0 ? 1e-5f : 1.0f);
  for (const Scheme* s : all_schemes()) {
    const Encoded e = encode(*s, w, n, k);
    EXPECT_TRUE(e.fits);
    const auto back = decode(*s, e, n, k);
    for (int64_t r = 0; r < n; ++r) {
      for (int64_t i = 0; i < k; ++i) {
        const float exact = round_to(s->model_dtype(), w[static_cast<size_t>(r * k + i)]);
        const float found = back[static_cast<size_t>(r * k + i)];
        if (!s->is_quantized()) {
          ASSERT_EQ(found, exact) << s->name();
          continue;
        }
        const int64_t group = r * e.parts[1].shape[1] + i / 32;
        const float scale = s->model_dtype() == DType::f32()
                                ? e.at<float>(1, static_cast<size_t>(group))
                                : f16_to_f32(e.at<uint16_t>(1, static_cast<size_t>(group)));
        // Half a step, and what rounding the scale takes from the largest code.
        ASSERT_LE(std::abs(found - exact), scale * (0.5001f + (s->bits() == 8 ? 0.07f : 0.004f))) << s->name();
      }
    }
  }
}

TEST(Schemes, ValuesThatDoNotFitAreReported) {
  for (const float bad : {1e6f, INFINITY, NAN}) {
    std::vector<float> w(64, 0.5f);
    w[40] = bad;
    EXPECT_FALSE(encode(scheme("q4f16_1"), w, 2, 32).fits);
    EXPECT_FALSE(encode(scheme("q0f16"), w, 2, 32).fits);
    EXPECT_EQ(encode(scheme("q4f32_1"), w, 2, 32).fits, bad == 1e6f);
    EXPECT_EQ(encode(scheme("q0f32"), w, 2, 32).fits, bad == 1e6f);
  }
}

TEST(Schemes, TinyGroupsOfHalfScaleBecomeZero) {
  std::vector<float> w(32, 1e-8f);  // max / 7 is below half of f16's smallest number
  const Encoded e = encode(scheme("q4f16_1"), w, 1, 32);
  EXPECT_EQ(e.at<uint32_t>(0, 0), 0x77777777u);
  for (float x : decode(scheme("q4f16_1"), e, 1, 32)) EXPECT_EQ(x, 0.0f);
}

}  // namespace
}  // namespace mlc::quant
