// unroll: the body of a loop is repeated, one copy per iteration, when the function is lowered.
//
//   for i in 0..4 { C[i] = A[i] }      unroll(i)      ->      unrolled i in 0..4 { C[i] = A[i] }
//
// The extent must be constant. The order of iterations stays, so that it is always legal.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Unroll {
  static constexpr const char* kName = "unroll";
  LoopRef loop;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop);
  }
};
Result<Change> apply(const State& s, const Unroll& x);

}  // namespace mlc::schedule
