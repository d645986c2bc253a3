#include "schedule/primitives/vectorize.h"

#include "schedule/rewrite.h"

namespace mlc::schedule {

Result<Change> apply(const State& s, const Vectorize& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  return with_kind(s, at, ir::ForKind::kVectorized, {});
}

}  // namespace mlc::schedule
