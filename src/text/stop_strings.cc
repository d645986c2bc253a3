#include "text/stop_strings.h"

#include <algorithm>
#include <utility>

namespace mlc::text {

StopStringMatcher::StopStringMatcher(std::vector<std::string> stops, bool keep_stop)
    : stops_(std::move(stops)), keep_stop_(keep_stop) {
  std::erase_if(stops_, [](const std::string& s) { return s.empty(); });
}

StopResult StopStringMatcher::feed(std::string_view text) {
  StopResult result;
  if (stopped_) {
    result.stopped = true;
    return result;
  }
  pending_ += text;
  const std::string* found = nullptr;
  size_t found_at = 0;
  for (const std::string& stop : stops_) {
    size_t at = pending_.find(stop);
    if (at == std::string::npos) continue;
    size_t end = at + stop.size();
    size_t found_end = found ? found_at + found->size() : 0;
    if (!found || end < found_end || (end == found_end && at < found_at)) {
      found = &stop;
      found_at = at;
    }
  }
  if (found) {
    result.text = pending_.substr(0, keep_stop_ ? found_at + found->size() : found_at);
    result.matched = *found;
    result.stopped = stopped_ = true;
    pending_.clear();
    return result;
  }
  size_t keep = held_back();
  result.text = pending_.substr(0, pending_.size() - keep);
  pending_.erase(0, pending_.size() - keep);
  return result;
}

// The longest end of pending_ that some stop string begins with.
size_t StopStringMatcher::held_back() const {
  size_t keep = 0;
  std::string_view pending = pending_;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, pending.size()); n > keep; --n) {
      if (pending.substr(pending.size() - n) == std::string_view(stop).substr(0, n)) {
        keep = n;
        break;
      }
    }
  }
  return keep;
}

std::string StopStringMatcher::flush() { return std::exchange(pending_, {}); }

}  // namespace mlc::text
