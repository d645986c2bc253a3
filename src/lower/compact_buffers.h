// Intermediate buffers shrink to what is alive at once, and are allocated where they are used.
//
//   alloc T[1024, 64]; for i in 0..1024 { for j { T[i, j] = … }  for j { … T[i, j] … } }
// ->
//   for i in 0..1024 { alloc T[1, 64]; for j { T[0, j] = … }  for j { … T[0, j] … } }
//
// An allocation moves into a parallel (or GPU block) loop, whose iterations are independent, and into a serial loop
// when its iterations touch disjoint parts, so that nothing is carried from one to the next. A dimension whose inner
// range is not a constant keeps its size.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

ir::PrimFunc compact_buffers(const ir::PrimFunc& f);

}  // namespace mlc::lower
