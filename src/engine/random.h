// Counter-based random numbers: a pure function of (seed, index), so that a token never depends on the batch, on
// preemption or on what was drawn before.
#pragma once

#include <cstdint>

namespace mlc::engine {

// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that mixes all bits.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

constexpr uint64_t random_bits(uint64_t seed, uint64_t index) { return mix64(mix64(seed) + mix64(~index)); }

// In [0, 1), 53 bits.
constexpr double random_uniform(uint64_t seed, uint64_t index) {
  return static_cast<double>(random_bits(seed, index) >> 11) * 0x1p-53;
}

}  // namespace mlc::engine
