// vectorize: the iterations of a loop become the lanes of vectors.
//
//   for i in 0..16 { C[i] = A[i] }      vectorize(i)      ->      vectorized i in 0..16 { C[i] = A[i] }
//
// The extent must be constant; iterations must be independent, as for parallel, and no buffer may be private to one. No
// loop inside may be parallel, vectorized or bound to a thread.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Vectorize {
  static constexpr const char* kName = "vectorize";
  LoopRef loop;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop);
  }
};
Result<Change> apply(const State& s, const Vectorize& x);

}  // namespace mlc::schedule
