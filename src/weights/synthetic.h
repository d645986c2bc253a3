// Random weights made on demand by a counter-based generator: element i of a tensor depends only on (seed, name, i), so
// nothing is stored, any part can be made alone, and a few lines of numpy make the same bits
// (tests/goldens/make_random_llama_goldens.py).
//
// With all arithmetic modulo 2^64:
//   mix(z):    z ^= z >> 30; z *= 0xBF58476D1CE4E5B9; z ^= z >> 27; z *= 0x94D049BB133111EB; z ^= z >> 31
//              (the output function of SplitMix64: Steele, Lea, Flood 2014)
//   fnv(name): h = 0xCBF29CE484222325; per byte b: h = (h ^ b) * 0x100000001B3            (FNV-1a)
//   key        = mix(fnv(name) ^ (seed * 0x9E3779B97F4A7C15))
//   bits(i)    = mix(key + (i + 1) * 0x9E3779B97F4A7C15)
//   u(i)       = float32(2 * (bits(i) >> 40) + 1 - 2^24) / 2^24        exact, in (-1, 1), uniform
//   value(i)   = float32(mean) + float32(bound) * u(i)                 two float32 operations, each rounded
// then rounded to the tensor's dtype. A uniform value with bound sqrt(3) * s has the standard deviation s.
//
// Quantized tensors: word(i) = bits(i) >> 32 for 4-bit codes, where a nibble 15 (which no encoder makes) becomes 7; for
// 8-bit codes a byte 255 becomes 127.
//
//   SyntheticSource source({{{"model.norm.weight", DType::f16(), {2048}}, Fill::uniform(1.0, 0.2)}}, /*seed=*/7);
#pragma once

#include <vector>

#include "weights/tensor_source.h"

namespace mlc::weights {

struct Fill {
  enum class Kind { kUniform, kCodes4, kCodes8 };
  Kind kind = Kind::kUniform;
  double mean = 0.0;
  double bound = 1.0;
  static Fill uniform(double mean, double bound) { return {Kind::kUniform, mean, bound}; }
  static Fill codes4() { return {Kind::kCodes4, 0.0, 0.0}; }
  static Fill codes8() { return {Kind::kCodes8, 0.0, 0.0}; }
};

struct SyntheticSpec {
  TensorInfo info;  // f32, f16 or bf16 for kUniform, u32 for codes
  Fill fill;
};

// What a random model's tensors look like, by name and shape: "...norm.weight" 1 +- 0.2; "...bias" 0 +- 0.1; a matrix
// [N, K] 0 +- sqrt(3 / K), which keeps activations near 1.
Fill default_fill(const std::string& name, const std::vector<int64_t>& shape);

class SyntheticSource : public TensorSource {
 public:
  SyntheticSource(std::vector<SyntheticSpec> specs, uint64_t seed);
  using TensorSource::add_alias;

 private:
  Result<TensorData> read_at(size_t index) const override;
  std::vector<Fill> fills_;
  uint64_t seed_;
};

// The generator itself.
uint64_t synthetic_key(uint64_t seed, std::string_view name);
uint64_t synthetic_bits(uint64_t key, int64_t i);

}  // namespace mlc::weights
