// parallel: the iterations of a loop run on several threads.
//
//   for i in 0..M { C[i] = A[i] }      parallel(i)      ->      parallel i in 0..M { C[i] = A[i] }
//
// Refused when the loop carries a reduce variable of a block inside, when iterations write the same elements, or when
// one reads what another writes. A buffer of local scope that every iteration fills for itself is no obstacle: it moves
// into the iteration when buffers are compacted (schedule/compact.h).
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Parallel {
  static constexpr const char* kName = "parallel";
  LoopRef loop;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop);
  }
};
Result<Change> apply(const State& s, const Parallel& x);

}  // namespace mlc::schedule
