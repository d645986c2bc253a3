// sample_perfect_tile: random factors of a loop's extent, without remainder.
//
//   for i in 0..48                 v0, v1 = sample_perfect_tile("rows", l0, 16, [6, 8])
//                                  l1, l2 = split(l0, [v0, v1])
//
// As many values as the decision has parts, outermost first; they multiply to the extent, and the innermost is at most
// `max_innermost`. Drawn anew (sampling.h), every such factorization is equally likely. It changes nothing in the
// function. Refused: an extent that is not constant, a decision that does not multiply to it or whose innermost part is
// too large.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct SamplePerfectTile {
  static constexpr const char* kName = "sample_perfect_tile";
  std::string name;  // under which a tuning record keeps the decision
  LoopRef loop;
  int64_t max_innermost = 1;
  std::vector<int64_t> decision;  // outermost first

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.name, x.loop, x.max_innermost, x.decision);
  }
};
Result<Change> apply(const State& s, const SamplePerfectTile& x);

// All ways to write `extent` as a product of `parts` positive factors with the last at most `max_innermost`, in
// lexicographic order.
std::vector<std::vector<int64_t>> perfect_tiles(int64_t extent, size_t parts, int64_t max_innermost);

}  // namespace mlc::schedule
