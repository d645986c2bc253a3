// The table of intrinsics that a Call may name: math functions and hardware instructions, as data.
//
// A hardware instruction is its spelling (an LLVM intrinsic name, or a C-like expression) plus a meaning: a PrimFunc
// `desc` whose loop body says what it computes, which the interpreter runs and tensorize matches, and a PrimFunc `impl`
// with the same parameters that uses the instruction as vector code.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/func.h"

namespace mlc::ir {

// Math: exp exp2 log sqrt rsqrt abs floor ceil round(nearest even) tanh sin cos fma popcount. Lane by lane, dtype of
// the result = dtype of the arguments. `max_ulp` is the error that a backend may have against the correctly rounded
// value.
//
// Integer dot products, each lane an i32 word of four bytes: dot4_u8s8(acc, a, b) = acc + the sum over j < 4 of byte j
// of a, unsigned, times byte j of b, signed; wraps. dot4_u7s8 is the same and promises that the bytes of a are below
// 128, which more machines can do at once. dot2_bf16(acc, a, b), acc f32, a and b u32 words of two bf16: acc + the
// product of the high halves, rounded, + the product of the low halves, rounded; the products are exact, denormals may
// flush. Lowering turns all into what the target has (lower/legalize_dot.h).
struct MathIntrinsic {
  std::string name;
  int num_args;
  double max_ulp;
  bool integers = false;  // takes and gives integers instead of floats
  bool words = false;     // all arguments but the first are u32, of as many lanes
};
const MathIntrinsic* find_math(std::string_view name);

// A hardware instruction. Names are ours, dotted: "x86.vpdpbusd.512".
struct HwInstruction {
  std::string name;
  std::string llvm;     // the LLVM intrinsic: "llvm.x86.avx512.vpdpbusd.512"
  std::string feature;  // what the target must have, see feature_satisfied
  DType result;
  std::vector<DType> args;
  PrimFunc meaning;  // buffers: one per argument, then the result; all 1-D with as many elements as lanes
};
const HwInstruction* find_instruction(std::string_view name);
const std::vector<HwInstruction>& all_instructions();

// What tensorize matches and what it puts there (schedule/tensorize.h). `desc` and `impl` have equal parameters. `desc`
// is one block with loops around it: the spatial variable counts the lanes, the reduce variable the products per lane;
// it accumulates (decompose the reduction first). All buffers are dense: a region of the same shape matches when its
// elements lie as densely. The integer ones are exact. The float one adds the products of a lane in the
// order 1, 0, the loops of `desc` in the order 0, 1.
//
//   dot_u8s8_vnni512    C[16] i32 += A[16, 4] u8 * B[4] i8
//   dot_u8s8_vnni256    C[8]
//   dot_u4s8_avx2       C[8]; precondition: A <= 127 (4-bit codes are <= 15), else a pair of products saturates an i16
//   dot_u8s8_arm_i8mm   C[4]
//   dot_u4s8_arm_dot    C[4]; precondition: A <= 127, since the instruction reads it as signed
//   dot_s8s8_arm_dot    C[4] i32 += A[4, 4] i8 * B[4] i8
//   dot_bf16_avx512     C[16] f32 += A[16, 2] bf16 * B[2] bf16
struct TensorIntrin {
  std::string name;
  std::string feature;  // what the target must have, see feature_satisfied
  PrimFunc desc;
  PrimFunc impl;             // straight-line vector code
  std::string precondition;  // on the values, "" if none; whoever applies it knows that it holds
};
const TensorIntrin* find_tensor_intrin(std::string_view name);
const std::vector<TensorIntrin>& all_tensor_intrins();

// A feature string names LLVM features: '+' joins what is needed together, '|' alternatives:
//   feature_satisfied("avxvnni|avx512vnni+avx512vl", [&](std::string_view f) { return target.has(f); })
bool feature_satisfied(std::string_view feature, const std::function<bool(std::string_view)>& has);

}  // namespace mlc::ir
