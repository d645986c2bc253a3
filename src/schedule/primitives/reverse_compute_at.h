// reverse_compute_at: moves a consumer under a loop of its producers; it computes there just what they have finished.
//
//   for i0 { for i1 in 0..4 { B[i0 * 4 + i1] = A[..] } }      reverse_compute_at(C, i0)
//   for i { C[i] = B[i] * 2 }
//   ->
//   for i0 { for i1 in 0..4 { B[i0 * 4 + i1] = A[..] }  for ax in 0..4 { C[i0 * 4 + ax] = B[i0 * 4 + ax] * 2 } }
//
// The loops around the consumer are made anew, one per variable of the block, in order. Refused when one iteration of
// the loop does not finish a whole box of what the consumer reads (a reduce loop of a producer is the loop or outside
// it), when the consumer reads elements of other iterations, when producers are missing at that point, or the block is
// opaque.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct ReverseComputeAt {
  static constexpr const char* kName = "reverse_compute_at";
  BlockRef block;
  LoopRef loop;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.loop);
  }
};
Result<Change> apply(const State& s, const ReverseComputeAt& x);

}  // namespace mlc::schedule
