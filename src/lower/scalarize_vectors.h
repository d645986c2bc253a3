// Vector code becomes scalar code where a thread has no vectors.
//
//   C[ramp(i, 1, 2)] = A[ramp(i, 1, 2)] * broadcast(s, 2)   ->   let v0 = A[i] * s { let v1 = A[i+1] * s {
//                                                                  C[i] = v0   C[i+1] = v1 }}
//
// Whatever the IR can say about vectors is taken apart: gathers, shuffles, predicates, reductions, loads and casts that
// reinterpret bytes. Where the target has vector types, arithmetic on 2, 4, 8 or 16 f32 that stand together in memory
// stays as it is; single lanes of such values are shuffles of one lane. Nothing to do on CPUs, where LLVM does it all.
#pragma once

#include "ir/func.h"
#include "target/target.h"

namespace mlc::lower {

ir::PrimFunc scalarize_vectors(const ir::PrimFunc& f, const target::Target& target);

}  // namespace mlc::lower
