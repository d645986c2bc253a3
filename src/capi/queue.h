// Requests that became ready, by their tags: what mlc_queue is.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_set>

#include "mlc_llm/c_api.h"

namespace mlc::capi {

class ReadyQueue {
 public:
  void push(uint64_t tag);
  mlc_status pop(int64_t timeout_ms, uint64_t* tag);  // MLC_OK, MLC_TIMEOUT or MLC_END
  void close();

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  std::deque<uint64_t> tags_;
  std::unordered_set<uint64_t> waiting_;
  bool closed_ = false;
};

}  // namespace mlc::capi
