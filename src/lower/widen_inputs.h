// Sums of products of any bytes, where a processor multiplies only pairs of 16 bits (AVX2 without VNNI): inputs are
// widened once per group, not once per product.
//
//   for s in 8 unrolled, mi …: dot[mi, 16 lanes] = @dot4_u8s8(dot[mi, 16 lanes], w[s], x[mi, s])
//
//   -> for mi:  wide[mi, 0], wide[mi, 1] = bytes 0 and 2, bytes 1 and 3 of x[mi, 8 words], as i16
//      for each half of the lanes, for p in 8 kept, mi …:
//        dot[mi] = dot[mi] + @x86.pmaddwd.256(w & 0x00ff00ff, wide[mi, 0, p])
//                          + @x86.pmaddwd.256(w >> 8, wide[mi, 1, p])
//
// Every word of the inputs meets 16 outputs' weights, but arrives as a broadcast, so that widening it in the loop costs
// three operations for each of them; all words of a row are one vector. The steps stay a loop, as in
// lower/sum_in_i16.h: unrolled, the widened inputs would be kept in registers and spread by shuffles.
//
// Done where the inputs of a group lie side by side; everything else is legalize_dot's. The result is the same integer.
#pragma once

#include "ir/func.h"
#include "target/target.h"

namespace mlc::lower {

ir::PrimFunc widen_inputs(const ir::PrimFunc& f, const target::Target& target);

}  // namespace mlc::lower
