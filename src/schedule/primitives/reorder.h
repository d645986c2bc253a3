// reorder: puts loops of one nest into another order.
//
//   for i { for j { for k { C[i, j] += A[i, k] * B[k, j] } } }      reorder([k, i])
//   ->
//   for k { for j { for i { C[i, j] += A[i, k] * B[k, j] } } }
//
// The named loops take the places that they have among themselves; loops between them stay. All loops from the
// outermost to the innermost named one must be perfectly nested, and no extent may come to depend on a loop inside it.
// Spatial loops move freely, reduce loops when the update is commutative; when several blocks stand inside, what one
// iteration reads must be written in the same iteration.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Reorder {
  static constexpr const char* kName = "reorder";
  std::vector<LoopRef> loops;  // in the new order, outermost first

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loops);
  }
};
Result<Change> apply(const State& s, const Reorder& x);

}  // namespace mlc::schedule
