// 16-bit floats where the machine has no arithmetic on them: values stay f16 or bf16 in memory, arithmetic is f32.
//
//   c = a + b  (bf16)   ->   c = bf16(f32(a) + f32(b)), the conversions as integer operations on the bits
//
// Every operation rounds once, as ir/expr.h says. Conversions between f16 and f32 stay casts where the target has an
// instruction; bf16 never does: the instructions treat denormals differently. After this pass 16-bit floats are loaded,
// stored, selected, shuffled, reinterpreted and converted, nothing else.
#pragma once

#include "ir/func.h"
#include "target/target.h"

namespace mlc::lower {

ir::PrimFunc legalize_dtypes(const ir::PrimFunc& f, const target::Target& target);

}  // namespace mlc::lower
