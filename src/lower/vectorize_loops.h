// Vectorized loops become vector code.
//
//   vectorized for v in 0..16 { C[i*16 + v] = A[i*16 + v] * s[i] }
// ->
//   C[ramp(i*16, 1, 16)] = A[ramp(i*16, 1, 16)] * broadcast(s[i], 16)
//
// A guard on the loop variable becomes the predicate of the loads and stores under it; a buffer that lives in one
// iteration gets a dimension for the lanes. What has no vector form (a loop whose extent differs by lane, a reduction
// or hardware instruction inside, a guarded division, more than kMaxLanes lanes) stays a serial loop: the meaning is
// the same.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

inline constexpr int kMaxLanes = 256;

ir::PrimFunc vectorize_loops(const ir::PrimFunc& f);

}  // namespace mlc::lower
