// split: one loop becomes a nest of several.
//
//   for i in 0..100 { C[i] }         split(i, [-1, 16])
//   ->
//   for i_0 in 0..7 { for i_1 in 0..16 { C[i_0 * 16 + i_1] if i_0 * 16 + i_1 < 100 } }
//
// One factor may be -1: whatever is needed to cover the extent, which may be symbolic. When the product of the factors
// is not known to be the extent, the blocks inside get a predicate, so that the result is always right. Refused:
// factors that are not positive, that leave no room for a -1 or do not cover the extent, and loops that are no longer
// serial.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Split {
  static constexpr const char* kName = "split";
  LoopRef loop;
  std::vector<Number> factors;  // outermost first; one may be -1

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop, x.factors);
  }
};
Result<Change> apply(const State& s, const Split& x);

}  // namespace mlc::schedule
