#include "schedule/primitives/unroll.h"

#include "schedule/rewrite.h"

namespace mlc::schedule {

Result<Change> apply(const State& s, const Unroll& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  return with_kind(s, at, ir::ForKind::kUnrolled, {});
}

}  // namespace mlc::schedule
