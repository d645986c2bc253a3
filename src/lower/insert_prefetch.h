// Software prefetch, for loops that a schedule marked: annotation "prefetch_<buffer>" = n on a loop means that whatever
// an iteration reads of the buffer is prefetched n iterations earlier.
//
//   for no … attrs {prefetch_w = 1} { for g … { … w[no, g, ramp(0, 1, 16)] … } }
//   -> for no … { for g … { prefetch w[no + 1, g, 0]; … w[no, g, ramp(0, 1, 16)] … } }
//
// The hint stands in the innermost loop around the load, once per cache line and iteration; of kept loops in a row that
// read the same, in the first. Where a function says that it serves many rows (ir/loop_hints.h), a loop whose turns
// would all ask for the same has hints in its first turn only: rows share the weights. It asks for the second-level
// cache: the first is smaller than what lies between. The last iterations prefetch past the end, which is harmless.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

inline constexpr const char* kPrefetchKey = "prefetch_";

ir::PrimFunc insert_prefetch(const ir::PrimFunc& f);

}  // namespace mlc::lower
