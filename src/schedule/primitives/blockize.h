// blockize: the nest under a loop becomes one block, scheduled from outside as a unit.
//
//   for i0 { for i1 in 0..16 { C[i0 * 16 + i1] = A[..] } }      b1 = blockize(i1)
//   ->
//   for i0 { block C_o(vi_o = i0) { for i1 in 0..16 { C[vi_o * 16 + i1] = A[..] } } }
//
// Exactly one block must stand under the loop, and each of its bindings must be a multiple of the tile inside plus the
// offset in it. Predicates on loops outside move to the new block; others stay inside. Gives the new block,
// "<block>_o".
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Blockize {
  static constexpr const char* kName = "blockize";
  LoopRef loop;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop);
  }
};
Result<Change> apply(const State& s, const Blockize& x);

}  // namespace mlc::schedule
