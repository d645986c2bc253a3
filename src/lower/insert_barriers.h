// Barriers between the phases of a work-group ("storage sync"), and shared memory at the door of the group.
//
//   thread("threadIdx.x") t {                        alloc S shared {
//     for k {                                          thread("threadIdx.x") t {
//       alloc S shared {                                 for k {
//         leaf { S[t] = A[k, t] }                ->        S[t] = A[k, t]
//         leaf { acc[0] = acc[0] + S[63 - t] }             barrier shared
//       }                                                  acc[0] = acc[0] + S[63 - t]
//     }                                                    barrier shared        before S is overwritten
//   }                                                  }}}
//
// A barrier stands where a thread could meet what another one has written (or would overwrite what another one still
// reads) since the last barrier, also around the end of a loop. Pairs that are surely by the same thread need none. It
// is a barrier of global scope when a buffer in device memory is concerned. Works on what bind_threads leaves; after it
// there are no leaves.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

ir::PrimFunc insert_barriers(const ir::PrimFunc& f);

// For code generators: a barrier that stands under a condition or in a loop that differs between threads, or null.
const ir::StmtNode* divergent_barrier(const ir::PrimFunc& f);

}  // namespace mlc::lower
