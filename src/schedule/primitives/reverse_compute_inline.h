// reverse_compute_inline: puts an elementwise consumer into its only producer; the intermediate goes.
//
//   for i { B[i] = A[i] + 1 }                 reverse_compute_inline(C)
//   for j { C[j] = B[j] * 2 }
//   ->
//   for i { C[i] = (A[i] + 1) * 2 }
//
// The consumer must be one unconditional store that reads one element of the intermediate, indexed by each of its
// variables once and over the whole buffer; the producer must be one store without reduction, over the same domain.
// What else the consumer reads must be ready at the producer's place.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct ReverseComputeInline {
  static constexpr const char* kName = "reverse_compute_inline";
  BlockRef block;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block);
  }
};
Result<Change> apply(const State& s, const ReverseComputeInline& x);

}  // namespace mlc::schedule
