// The thread-bound loops of a work-group become one grid: threads outermost, the phases of the computation inside.
//
//   thread("blockIdx.x") b {                           thread("blockIdx.x") b {
//     for k {                                            thread("threadIdx.x") t in 0..64 {
//       thread("threadIdx.x") i in 0..64 { S[i] = … }      for k {
//       thread("threadIdx.x") j in 0..32 { … S[…] … }  ->    leaf { S[t] = … }
//     }                                                      leaf { if t < 32 { … S[…] … } }
//     C[b] = …                                             }
//   }                                                      leaf { if t == 0 { C[b] = … } }
//                                                        } }
//
// Thread loops mean what serial loops mean, so phases run one after the other; from here to insert_barriers, which
// makes the threads meet between them, only leaves are in order. A local buffer stays private to a thread when each
// thread finds its own elements; one through which threads hand values on becomes shared, and so does an intermediate
// of global scope. A function without block axes runs as one work-group; loops for CPU workers become serial.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

ir::PrimFunc bind_threads(const ir::PrimFunc& f);

}  // namespace mlc::lower
