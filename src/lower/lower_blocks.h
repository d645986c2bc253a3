// Blocks to plain loops, guards and allocations.
//
//   for io, ii: block C { m = io*16 + ii (spatial), k = k (reduce); predicate io*16 + ii < M }
//     init { C[m] = 0 }   C[m] = C[m] + A[m, k]
// ->
//   for io, ii: if io*16 + ii < M { if k == 0 { C[io*16 + ii] = 0 }   C[io*16 + ii] = C[io*16 + ii] + A[io*16 + ii, k]
//   }
//
// The init runs in the instances in which all reduce variables are at 0; buffers that a block owns become an Allocate
// around it.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

ir::PrimFunc lower_blocks(const ir::PrimFunc& f);

}  // namespace mlc::lower
