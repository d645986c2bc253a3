// compute_inline: puts the expression of an elementwise producer in the place of every read of it; the producer goes.
//
//   for i { B[i] = A[i] + 1 }                 compute_inline(B)
//   for j { C[j] = B[j] * 2 }
//   ->
//   for j { C[j] = (A[j] + 1) * 2 }
//
// The producer must be one store without reduction or condition, indexed by its own variables (each once; constants for
// dimensions of extent 1), into an intermediate that nothing else writes; its inputs must not be overwritten before the
// last consumer.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct ComputeInline {
  static constexpr const char* kName = "compute_inline";
  BlockRef block;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block);
  }
};
Result<Change> apply(const State& s, const ComputeInline& x);

}  // namespace mlc::schedule
