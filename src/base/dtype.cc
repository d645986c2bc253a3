#include "base/dtype.h"

#include <bit>
#include <charconv>
#include <cmath>

namespace mlc {

std::string DType::str() const {
  std::string s;
  switch (code) {
    case TypeCode::kBool:
      s = "bool";
      break;
    case TypeCode::kInt:
      s = "i" + std::to_string(bits);
      break;
    case TypeCode::kUInt:
      s = "u" + std::to_string(bits);
      break;
    case TypeCode::kFloat:
      s = "f" + std::to_string(bits);
      break;
    case TypeCode::kBFloat:
      s = "bf" + std::to_string(bits);
      break;
  }
  if (lanes > 1) s += "x" + std::to_string(lanes);
  return s;
}

std::optional<DType> DType::parse(std::string_view text) {
  static constexpr DType kAll[] = {boolean(), i8(),  i16(), i32(),  i64(), u8(), u16(),
                                   u32(),     u64(), f16(), bf16(), f32(), f64()};
  std::string_view base = text;
  int lanes = 1;
  if (auto x = text.find('x'); x != std::string_view::npos) {
    base = text.substr(0, x);
    auto digits = text.substr(x + 1);
    auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), lanes);
    if (ec != std::errc() || end != digits.data() + digits.size() || lanes < 2 || lanes > 4096) return std::nullopt;
  }
  for (DType t : kAll) {
    if (t.str() == base) return t.with_lanes(lanes);
  }
  return std::nullopt;
}

float f16_to_f32(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1fu;
  const uint32_t mantissa = h & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    // Zero or subnormal: mantissa * 2^-24.
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);   // NaN
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 2^16 and up: infinity
  if (magnitude < 0x38800000u) {
    // Subnormal result: adding 2^-14 * 2^10 * 2^-... rounds the mantissa at the right place (0.5f has ulp 2^-24).
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000u));
  }
  const uint32_t round = 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + round) >> 13));
}

float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);  // NaN, kept quiet
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace mlc
