// Hot loops lose the guards of their tail.
//
//   for i in 0..ceil(M/16) { for j in 0..16 { if i*16 + j < M { … } } }
// ->
//   for i in 0..M/16 { for j in 0..16 { … } }   for i in M/16..ceil(M/16) { for j in 0..16 { if i*16 + j < M { … } } }
//
// The outermost serial loop that a guard grows with is split where the guard stops being true for all inner iterations;
// a parallel loop keeps its range and gets an If inside instead. Tails are not split further.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

ir::PrimFunc partition_loops(const ir::PrimFunc& f);

}  // namespace mlc::lower
