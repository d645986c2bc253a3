// q4f16_1, q4f32_1 (MLC LLM's) and q8f16_1 (the same with 8-bit codes): groups of 32 along K with one scale.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "quant/scheme.h"

namespace mlc::quant {
namespace {

constexpr int64_t kGroupSize = 32;

// f32 -> nearest f16 -> f32, without branches, so that the compiler makes vectors of it. |x| must fit f16.
inline float nearest_f16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u)) & ~0x1fffu;
  // Below 2^-14, f16 has steps of 2^-24, which are the steps of f32 in [0.5, 1).
  const float tiny = (std::bit_cast<float>(magnitude) + 0.5f) - 0.5f;
  const uint32_t rounded = magnitude < 0x38800000u ? std::bit_cast<uint32_t>(tiny) : normal;
  return std::bit_cast<float>(rounded | (bits & 0x80000000u));
}

template <int kBits>
class GroupScheme : public Scheme {
  static constexpr int kCodesPerWord = 32 / kBits;
  static constexpr int64_t kWords = kGroupSize / kCodesPerWord;
  static constexpr int kZero = (1 << (kBits - 1)) - 1;

 public:
  GroupScheme(const char* name, DType dtype) : Scheme(name, dtype, kBits, kGroupSize) {}

  std::vector<Part> parts(int64_t n, int64_t k) const override {
    const int64_t groups = (k + kGroupSize - 1) / kGroupSize;
    return {{".q_weight", DType::u32(), {n, groups * kWords}}, {".q_scale", model_dtype(), {n, groups}}};
  }

  bool encode(const float* rows, int64_t first, int64_t count, int64_t k,
              std::span<const std::span<std::byte>> buffers) const override {
    const int64_t groups = (k + kGroupSize - 1) / kGroupSize;
    bool fits = true;
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t at = (first + r) * groups + g;
        const int64_t size = std::min(kGroupSize, k - g * kGroupSize);
        uint32_t words[kWords];
        float scale = 0;
        fits &= encode_group(rows + r * k + g * kGroupSize, size, words, &scale);
        std::memcpy(buffers[0].data() + at * static_cast<int64_t>(sizeof words), words, sizeof words);
        store_scale(buffers[1].data() + at * model_dtype().bytes(), scale);
      }
    }
    return fits;
  }

  void decode(std::span<const std::span<const std::byte>> buffers, int64_t first, int64_t count, int64_t k,
              float* rows) const override {
    const int64_t groups = (k + kGroupSize - 1) / kGroupSize;
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t at = (first + r) * groups + g;
        uint32_t words[kWords];
        std::memcpy(words, buffers[0].data() + at * static_cast<int64_t>(sizeof words), sizeof words);
        const float scale = load_scale(buffers[1].data() + at * model_dtype().bytes());
        const int64_t size = std::min(kGroupSize, k - g * kGroupSize);
        for (int64_t i = 0; i < size; ++i) {
          const uint32_t code = (words[i / kCodesPerWord] >> (kBits * (i % kCodesPerWord))) & ((1u << kBits) - 1);
          rows[r * k + g * kGroupSize + i] = static_cast<float>(static_cast<int>(code) - kZero) * scale;
        }
      }
    }
  }

 private:
  bool encode_group(const float* in, int64_t size, uint32_t* words, float* scale_out) const {
    const float limit = largest_finite(model_dtype());
    float w[kGroupSize] = {};
    std::copy(in, in + size, w);
    bool fits = true;
    for (float x : w) fits &= std::abs(x) <= limit;
    if (!fits) std::fill(std::begin(w), std::end(w), 0.0f);
    if (model_dtype() == DType::f16()) {
      for (float& x : w) x = nearest_f16(x);
    }
    float largest = 0;
    for (float x : w) largest = std::max(largest, std::abs(x));
    const float scale = round_to(model_dtype(), largest / static_cast<float>(kZero));
    uint32_t codes[kGroupSize];
    for (int64_t i = 0; i < kGroupSize; ++i) {
      const float shifted = (scale == 0 ? 0.0f : w[i] / scale) + static_cast<float>(kZero);
      codes[i] = static_cast<uint32_t>(std::clamp(std::floor(shifted + 0.5f), 0.0f, static_cast<float>(2 * kZero)));
    }
    std::fill(codes + size, codes + kGroupSize, 0u);
    for (int64_t j = 0; j < kWords; ++j) {
      uint32_t word = 0;
      for (int i = 0; i < kCodesPerWord; ++i) word |= codes[j * kCodesPerWord + i] << (kBits * i);
      words[j] = word;
    }
    *scale_out = scale;
    return fits;
  }

  void store_scale(std::byte* to, float scale) const {
    if (model_dtype() == DType::f32()) {
      std::memcpy(to, &scale, 4);
    } else {
      const uint16_t bits = f32_to_f16(scale);
      std::memcpy(to, &bits, 2);
    }
  }

  float load_scale(const std::byte* from) const {
    if (model_dtype() == DType::f32()) {
      float scale;
      std::memcpy(&scale, from, 4);
      return scale;
    }
    uint16_t bits;
    std::memcpy(&bits, from, 2);
    return f16_to_f32(bits);
  }
};

}  // namespace

std::vector<const Scheme*> group_schemes() {
  static const GroupScheme<4> q4f16("q4f16_1", DType::f16()), q4f32("q4f32_1", DType::f32());
  static const GroupScheme<8> q8f16("q8f16_1", DType::f16());
  return {&q4f16, &q4f32, &q8f16};
}

}  // namespace mlc::quant
