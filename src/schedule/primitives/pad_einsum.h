// pad_einsum: rounds the domain of a sum of products up to multiples, with zeros around the operands.
//
//   for i in 0..M, j in 0..30, k in 0..5 { C[i, j] += A[i, k] * B[k, j] }      pad_einsum(C, [1, 16, 4])
//   ->
//   for i in 0..M, k in 0..8  { A_pad[i, k] = A[i, k] if k < 5 else 0 }        (and B_pad)
//   for i in 0..M, j in 0..32, k in 0..8 { C_pad[i, j] += A_pad[i, k] * B_pad[k, j] }
//   for i in 0..M, j in 0..30 { C[i, j] = C_pad[i, j] }
//
// One multiple per variable of the block. The block must be a reduction by addition with an init, whose update is a
// product (casts allowed) of loads indexed by plain variables; buffers that no padded variable indexes stay as they
// are. Apply it before the loops of the block are changed.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct PadEinsum {
  static constexpr const char* kName = "pad_einsum";
  BlockRef block;
  std::vector<int64_t> padding;  // multiples, one per variable of the block

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.padding);
  }
};
Result<Change> apply(const State& s, const PadEinsum& x);

}  // namespace mlc::schedule
