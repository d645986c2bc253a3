// Notices engines that have work and make no step, from looking at them now and then.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "engine/engine.h"

namespace mlc::serve {

class StallWatch {
 public:
  using Clock = std::chrono::steady_clock;
  // For how long this engine has had work without a step, as far as earlier calls can tell.
  Clock::duration stalled(const std::string& name, const engine::EngineStats& s, Clock::time_point now = Clock::now()) {
    std::lock_guard lock(mutex_);
    Seen& seen = seen_[name];
    const bool moves = s.running + s.waiting == 0 || s.steps != seen.steps;
    if (moves || seen.since == Clock::time_point()) seen = {s.steps, now};
    return now - seen.since;
  }

 private:
  struct Seen {
    int64_t steps = 0;
    Clock::time_point since;
  };
  std::mutex mutex_;
  std::map<std::string, Seen> seen_;
};

}  // namespace mlc::serve
