// Splits a range over short-lived threads, for conversions (kernels use base/thread_pool.h).
//
//   parallel_ranges(rows, default_num_threads(), [&](int64_t begin, int64_t end) { ... });   // returns when all are
//   done
#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace mlc {

// Calls fn(begin, end) on disjoint ranges that cover [0, n), in parallel; the caller works on the first. fn must not
// throw. With num_threads <= 1 or n small, everything runs here.
template <typename F>
void parallel_ranges(int64_t n, int num_threads, F&& fn) {
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(num_threads, n));
  std::vector<std::thread> threads;
  for (int64_t i = 1; i < parts; ++i) {
    threads.emplace_back([&fn, i, n, parts] { fn(n * i / parts, n * (i + 1) / parts); });
  }
  if (n > 0) fn(0, n / parts);
  for (std::thread& t : threads) t.join();
}

}  // namespace mlc
