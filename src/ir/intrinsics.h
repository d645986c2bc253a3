// The table of intrinsics that a Call may name: math functions and hardware instructions, as data.
//
// A hardware instruction is its spelling (an LLVM intrinsic name, or a C-like expression) plus a meaning: a PrimFunc
// `desc` whose loop body says what it computes, which the interpreter runs and tensorize matches, and a PrimFunc `impl`
// with the same parameters that uses the instruction as vector code.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ir/func.h"

namespace mlc::ir {

// One lane-level value as the interpreter holds it.
struct Value;

// Math: exp exp2 log sqrt rsqrt abs floor ceil round(nearest even) tanh sin cos fma popcount. Lane by lane, dtype of
// the result = dtype of the arguments. `max_ulp` is the error that a backend may have against the correctly rounded
// value.
struct MathIntrinsic {
  std::string name;
  int num_args;
  double max_ulp;
};
const MathIntrinsic* find_math(std::string_view name);

// A hardware instruction. Names are ours, dotted: "x86.vpdpbusd.512".
struct HwInstruction {
  std::string name;
  std::string llvm;     // the LLVM intrinsic: "llvm.x86.avx512.vpdpbusd.512"
  std::string feature;  // the target feature that it needs: "avx512vnni"
  DType result;
  std::vector<DType> args;
  PrimFunc meaning;  // buffers: one per argument, then the result; all 1-D with `lanes` elements
};
const HwInstruction* find_instruction(std::string_view name);
const std::vector<HwInstruction>& all_instructions();

// What tensorize matches and what it puts there (schedule/tensorize.h). `desc` and `impl` have equal parameters.
struct TensorIntrin {
  std::string name;  // "dot_u8s8_vnni_16x4"
  std::string feature;
  PrimFunc desc;  // one block (loops around it), the meaning
  PrimFunc impl;  // straight-line vector code
};
const TensorIntrin* find_tensor_intrin(std::string_view name);
const std::vector<TensorIntrin>& all_tensor_intrins();

}  // namespace mlc::ir
