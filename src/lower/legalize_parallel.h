// One parallel loop nest per CPU kernel, with nothing but facts around it: what workers can share without meeting.
//
//   for r { parallel i { … } }      ->  for r { for i { … } }        workers would have to meet after every r
//   parallel i {…}  parallel j {…}  ->  for i {…}  for j {…}         j may read what i wrote
//   parallel i { parallel j {…} }   ->  parallel i { for j {…} }     the outer one is shared out
//
// A parallel loop means the same as a serial one, so this is always right, only slower; the rules of schedule/ make
// functions that keep their parallel loop.
#pragma once

#include "ir/func.h"

namespace mlc::lower {

ir::PrimFunc legalize_parallel(const ir::PrimFunc& f);

}  // namespace mlc::lower
