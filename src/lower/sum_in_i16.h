// Sums of byte products in 16 bits, where a processor has pmaddubsw but no four-way dot product (AVX2 without VNNI).
//
//   for s in 8 unrolled, mi …: dot[mi, 16 lanes] = @dot4_u7s8(dot[mi, 16 lanes], w & 0x0f0f0f0f, x)
//
//   -> for each half of the lanes:
//        pairs[mi] = 0                                              i16x16
//        for p in 4 kept, q in 2, mi …: pairs[mi] = pairs[mi] + @x86.pmaddubsw.256(w & 0x0f0f0f0f, x)      s = 2p + q
//        for mi …:    dot[mi] = dot[mi] + @x86.pmaddwd.256(pairs[mi], 1)
//
// A sum of two products of a code below 16 and a signed byte is at most 2 * 15 * 128 in magnitude, so that eight of
// them fit 16 bits: one widening instead of one per step, which frees half of the multiply ports. The result is the
// same integer. Halves are apart when their sums would not all stay in registers together, else what fills dot before
// comes behind the steps. The steps stay a loop, two
// in a turn: unrolled, LLVM's scheduler goes row by row and keeps the unpacked weights of all steps on the stack.
//
// What dot starts with may be a sum of two parts, sign-extended from 16 bits. If the function says that each fits with
// its half of the products (ir/loop_hints.h), pairs starts there, and nothing is left to add to the widened sums.
//
// Done only where the mask proves the bound for all steps of the loop; everything else is legalize_dot's.
#pragma once

#include "ir/func.h"
#include "target/target.h"

namespace mlc::lower {

// Whether `target` gains by it: it has pmaddubsw, and no instruction that does the whole step.
bool sums_in_i16(const target::Target& target);
ir::PrimFunc sum_in_i16(const ir::PrimFunc& f, const target::Target& target);

}  // namespace mlc::lower
