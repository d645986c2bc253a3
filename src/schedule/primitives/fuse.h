// fuse: perfectly nested loops become one.
//
//   for i in 0..4 { for j in 0..8 { C[i, j] } }      fuse([i, j])
//   ->
//   for i_j in 0..32 { C[i_j // 8, i_j % 8] }
//
// The loops must be serial, directly nested in the given order, and the inner extents must not depend on the outer
// loops.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Fuse {
  static constexpr const char* kName = "fuse";
  std::vector<LoopRef> loops;  // outermost first

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loops);
  }
};
Result<Change> apply(const State& s, const Fuse& x);

}  // namespace mlc::schedule
