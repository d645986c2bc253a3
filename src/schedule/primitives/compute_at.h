// compute_at: moves a producer under a loop of its consumers; it computes there just what they need.
//
//   for i { B[i] = A[i] + 1 }                       compute_at(B, i0)
//   for i0 { for i1 in 0..4 { C[i0 * 4 + i1] = B[i0 * 4 + i1] } }
//   ->
//   for i0 { for ax in 0..4 { B[i0 * 4 + ax] = A[..] + 1 }  for i1 in 0..4 { C[i0 * 4 + i1] = B[i0 * 4 + i1] } }
//
// The loops around the producer are made anew, one per variable of the block, in order; where the region may reach over
// the producer's domain the block gets a predicate. The buffer keeps its shape (schedule/compact.h shrinks it later).
// Refused when the block is not the only writer of its output, the output is a parameter, a consumer stands outside the
// loop or before the producer, something on the way overwrites what the producer reads, or the block is opaque.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct ComputeAt {
  static constexpr const char* kName = "compute_at";
  BlockRef block;
  LoopRef loop;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.loop);
  }
};
Result<Change> apply(const State& s, const ComputeAt& x);

}  // namespace mlc::schedule
