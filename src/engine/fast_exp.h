// exp for whole vocabularies: a float32 polynomial without branches, so that the compiler can vectorize loops over it.
#pragma once

#include <bit>
#include <cstdint>

namespace mlc::engine {

// e^x for x <= 0, relative error below 3e-7; 0 for x < -87 and for NaN.
inline float exp_of_negative(float x) {
  // x = n ln 2 + r with |r| <= ln 2 / 2 (the first constant rounds to an integer by its size; ln 2 in two parts so that
  // n ln 2 is exact), then the Taylor polynomial of e^r and n in the exponent.
  constexpr float kRound = 12582912.0f, kLog2e = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  const float in_range = x >= -87.0f ? x : -87.0f;
  const float shifted = in_range * kLog2e + kRound;
  const float n = shifted - kRound;
  const float r = (in_range - n * kLn2High) - n * kLn2Low;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const auto exponent = (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound)) << 23;
  const float y = std::bit_cast<float>(std::bit_cast<uint32_t>(p) + exponent);
  return x >= -87.0f ? y : 0.0f;
}

}  // namespace mlc::engine
