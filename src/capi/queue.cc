#include "capi/queue.h"

#include <chrono>

namespace mlc::capi {

void ReadyQueue::push(uint64_t tag) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || !waiting_.insert(tag).second) return;
    tags_.push_back(tag);
  }
  condition_.notify_one();
}

mlc_status ReadyQueue::pop(int64_t timeout_ms, uint64_t* tag) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return closed_ || !tags_.empty(); };
  if (timeout_ms < 0) {
    condition_.wait(lock, ready);
  } else if (!condition_.wait_for(lock, std::chrono::milliseconds(timeout_ms), ready)) {
    return MLC_TIMEOUT;
  }
  if (closed_) return MLC_END;
  *tag = tags_.front();
  tags_.pop_front();
  waiting_.erase(*tag);
  return MLC_OK;
}

void ReadyQueue::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  condition_.notify_all();
}

}  // namespace mlc::capi
