// bind: the iterations of a loop run on the threads of a grid.
//
//   for i in 0..64 { C[i] = A[i] }      bind(i, "threadIdx.x")      ->      thread("threadIdx.x") i in 0..64 { C[i] =
//   A[i] }
//
// Threads are blockIdx.x/y/z and threadIdx.x/y/z; a threadIdx extent must be constant, and one axis may not be bound
// twice in a nest. Iterations must be independent, as for parallel; buffers of local scope may be private to a thread,
// buffers of shared scope to a work-group (a blockIdx loop).
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Bind {
  static constexpr const char* kName = "bind";
  LoopRef loop;
  std::string thread;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop, x.thread);
  }
};
Result<Change> apply(const State& s, const Bind& x);

}  // namespace mlc::schedule
