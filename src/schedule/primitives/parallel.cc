#include "schedule/primitives/parallel.h"

#include "schedule/rewrite.h"

namespace mlc::schedule {

Result<Change> apply(const State& s, const Parallel& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  return with_kind(s, at, ir::ForKind::kParallel, {});
}

}  // namespace mlc::schedule
