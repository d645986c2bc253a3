#include "engine/event_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace mlc::engine {

void EventTrace::span(const std::string& row, std::string_view name, Clock::time_point begin, Clock::time_point end) {
  add(row, name, begin, end, true);
}

void EventTrace::instant(const std::string& row, std::string_view name, Clock::time_point at) {
  add(row, name, at, at, false);
}

void EventTrace::close(const std::string& row) {
  std::lock_guard lock(mutex_);
  counts_.erase(row);
}

void EventTrace::add(const std::string& row, std::string_view name, Clock::time_point begin, Clock::time_point end,
                     bool is_span) {
  std::lock_guard lock(mutex_);
  auto& counts = counts_[row];
  auto count = counts.find(name);
  if (count == counts.end()) count = counts.emplace(name, 0).first;
  if (events_.size() >= max_events_) events_.pop_front();
  events_.push_back({row, fmt::format("{} ({})", name, count->second++), begin, end, is_span});
}

OrderedJson EventTrace::chrome_json() const {
  std::vector<std::pair<Clock::time_point, OrderedJson>> marks;
  {
    std::lock_guard lock(mutex_);
    const auto add = [&](const Event& e, const char* phase, Clock::time_point at) {
      const double us = std::chrono::duration<double, std::micro>(at - start_).count();
      marks.emplace_back(at, OrderedJson{{"name", e.name}, {"ph", phase}, {"ts", us}, {"pid", 1}, {"tid", e.row}});
    };
    for (const Event& e : events_) {
      add(e, e.is_span ? "B" : "i", e.begin);
      if (e.is_span) add(e, "E", e.end);
    }
  }
  // Stable: where a span begins as another ends, the end was recorded first.
  std::stable_sort(marks.begin(), marks.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  OrderedJson out = OrderedJson::array();
  for (auto& [at, json] : marks) out.push_back(std::move(json));
  return out;
}

}  // namespace mlc::engine
