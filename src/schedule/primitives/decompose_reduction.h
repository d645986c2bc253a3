// decompose_reduction: takes the init of a reduction out, before a loop.
//
//   for i { for k { C[i] = 0 if k == 0;  C[i] += A[i, k] } }      b1 = decompose_reduction(C, k)
//   ->
//   for i { { C[i] = 0 }  for k { C[i] += A[i, k] } }
//
// All reduce loops of the block must be the loop or inside it; the spatial loops inside are repeated for the init.
// Gives the block of the init, named "<block>_init".
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct DecomposeReduction {
  static constexpr const char* kName = "decompose_reduction";
  BlockRef block;
  LoopRef loop;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.loop);
  }
};
Result<Change> apply(const State& s, const DecomposeReduction& x);

}  // namespace mlc::schedule
