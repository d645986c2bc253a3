// Element types, with vector lanes for the IR.
//
//   DType t = DType::f32();   t.with_lanes(16).bytes() == 64;   t.str() == "f32";   "f32x16" for the vector
//
// Names follow the IR text form: bool i8 u8 i16 u16 i32 u32 i64 u64 f16 bf16 f32 f64, "x<lanes>" behind for vectors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mlc {

enum class TypeCode : uint8_t { kBool, kInt, kUInt, kFloat, kBFloat };

struct DType {
  TypeCode code = TypeCode::kFloat;
  uint8_t bits = 32;
  uint16_t lanes = 1;

  static constexpr DType boolean() { return {TypeCode::kBool, 8, 1}; }  // stored as one byte, 0 or 1
  static constexpr DType i8() { return {TypeCode::kInt, 8, 1}; }
  static constexpr DType i16() { return {TypeCode::kInt, 16, 1}; }
  static constexpr DType i32() { return {TypeCode::kInt, 32, 1}; }
  static constexpr DType i64() { return {TypeCode::kInt, 64, 1}; }
  static constexpr DType u8() { return {TypeCode::kUInt, 8, 1}; }
  static constexpr DType u16() { return {TypeCode::kUInt, 16, 1}; }
  static constexpr DType u32() { return {TypeCode::kUInt, 32, 1}; }
  static constexpr DType u64() { return {TypeCode::kUInt, 64, 1}; }
  static constexpr DType f16() { return {TypeCode::kFloat, 16, 1}; }
  static constexpr DType bf16() { return {TypeCode::kBFloat, 16, 1}; }
  static constexpr DType f32() { return {TypeCode::kFloat, 32, 1}; }
  static constexpr DType f64() { return {TypeCode::kFloat, 64, 1}; }

  constexpr DType with_lanes(int n) const { return {code, bits, static_cast<uint16_t>(n)}; }
  constexpr DType scalar() const { return with_lanes(1); }
  constexpr bool is_bool() const { return code == TypeCode::kBool; }
  constexpr bool is_int() const { return code == TypeCode::kInt; }
  constexpr bool is_uint() const { return code == TypeCode::kUInt; }
  constexpr bool is_any_int() const { return is_int() || is_uint(); }
  constexpr bool is_bfloat() const { return code == TypeCode::kBFloat; }
  constexpr bool is_float() const { return code == TypeCode::kFloat || is_bfloat(); }
  constexpr bool is_vector() const { return lanes > 1; }
  constexpr int64_t element_bytes() const { return bits / 8; }
  constexpr int64_t bytes() const { return element_bytes() * lanes; }
  constexpr bool operator==(const DType&) const = default;

  std::string str() const;                                   // "f32x16"
  static std::optional<DType> parse(std::string_view text);  // the inverse of str(); nullopt if it is no type
};

// 16-bit float conversions, round to nearest even; NaN stays NaN, overflow becomes infinity.
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);

}  // namespace mlc
