// Integer dot products (dot4_u8s8, dot4_u7s8) as the target has them:
//
//   AVX-512 VNNI, AVX-VNNI     vpdpbusd, 16, 8 or 4 lanes
//   AVX2                       vpmaddubsw + vpmaddwd, 8 lanes; u7 only: pairs of u8 x s8 products saturate 16 bits
//   AArch64 i8mm, dotprod      usdot; sdot (u7 only), 4 lanes
//   anything else              shifts and multiplications
//
// Wider vectors are cut into pieces; pieces narrower than any instruction take the last row.
#pragma once

#include "ir/func.h"
#include "target/target.h"

namespace mlc::lower {

ir::PrimFunc legalize_dot(const ir::PrimFunc& f, const target::Target& target);

}  // namespace mlc::lower
