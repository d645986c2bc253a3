// cache_write: a block writes a copy, which another block then stores to the buffer.
//
//   for i { C[i] = A[i] * 2 }      b1 = cache_write(C, "C", "local")
//   ->
//   allocate C_local { for i { C_local[i] = A[i] * 2 }  for i { C[i] = C_local[i] } }
//
// Gives the block of the copy, which runs over the spatial variables of the block; reverse_compute_at moves it to where
// it pays. The block must be the only writer of the buffer, write one element in each instance, and no other block in
// its nest may read the buffer.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct CacheWrite {
  static constexpr const char* kName = "cache_write";
  BlockRef block;
  std::string buffer;  // its name
  ir::Scope scope;     // of the copy

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.buffer, x.scope);
  }
};
Result<Change> apply(const State& s, const CacheWrite& x);

}  // namespace mlc::schedule
