// Dot products become what the target has.
//
//   @dot4_u8s8<i32x16>(acc, a, b)   ->   @x86.vpdpbusd.512(acc, a, b)                                with AVX-512 VNNI
//                                   ->   acc + pmaddwd(even bytes) + pmaddwd(odd bytes)              with AVX2
//                                   ->   acc + (a & 255) * (b << 24 >> 24) + …                       anywhere
//
// | intrinsic | x86 VNNI | AVX2                  | ARM i8mm | ARM dotprod | elsewhere         |
// |-----------|----------|-----------------------|----------|-------------|-------------------|
// | dot4_u8s8 | vpdpbusd | pmaddwd, twice        | usdot    | shifts      | shifts and multiplies |
// | dot4_u7s8 | vpdpbusd | pmaddubsw and pmaddwd | usdot    | sdot        | shifts and multiplies |
//
// All are exact. @dot2_bf16 becomes vdpbf16ps for 8 and 16 lanes with AVX-512 BF16, elsewhere two multiply-adds. A
// vector wider than the instruction is cut into pieces; what is left over goes the portable way. A broadcast argument
// stays a broadcast, so that it can become the instruction's memory operand.
#pragma once

#include "ir/func.h"
#include "target/target.h"

namespace mlc::lower {

// Whether the CPU has this instruction of ir/intrinsics.h.
bool has_instruction(const target::Target& target, const char* instruction);
ir::PrimFunc legalize_dot(const ir::PrimFunc& f, const target::Target& target);

}  // namespace mlc::lower
