// transform_layout: an intermediate is stored in another order; all reads and writes follow.
//
//   B[i, j] = ...;  ... = B[i, j]      transform_layout(b0, "B", (i, j) -> (i // 16, j, i % 16))
//   ->
//   B[i // 16, j, i % 16] = ...;  ... = B[i // 16, j, i % 16]
//
// The map must be injective. Extents follow from the map; padding that arises is never touched. Loops stay. Refused for
// parameters and for buffers that vector code touches.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct TransformLayout {
  static constexpr const char* kName = "transform_layout";
  BlockRef block;      // that reads or writes the buffer
  std::string buffer;  // its name
  IndexMap map;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.buffer, x.map);
  }
};
Result<Change> apply(const State& s, const TransformLayout& x);

}  // namespace mlc::schedule
