// cache_read: a block reads a buffer through a copy.
//
//   for i { C[i] = A[i] * A[i] }      b1 = cache_read(C, "A", "local")
//   ->
//   allocate A_local { for ax { A_local[ax] = A[ax] }  for i { C[i] = A_local[i] * A_local[i] } }
//
// The copy covers the whole buffer and stands before the nest of the block; compute_at moves it to where it pays. Gives
// the block of the copy. Refused when the block does not read the buffer, writes it too, or the nest also holds its
// producer.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct CacheRead {
  static constexpr const char* kName = "cache_read";
  BlockRef block;
  std::string buffer;  // its name
  ir::Scope scope;     // of the copy

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.buffer, x.scope);
  }
};
Result<Change> apply(const State& s, const CacheRead& x);

}  // namespace mlc::schedule
