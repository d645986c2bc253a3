// What happened to each request and when, as a Chrome trace (chrome://tracing, Perfetto): one row per request.
//
//   auto trace = std::make_shared<EventTrace>();
//   options.trace = trace;                               // EngineOptions: the engine records
//   trace->chrome_json();                                // any thread, any time
//
// Rows are named as MLC LLM names them, by the id that the client was given ("chatcmpl-…"). Spans: "queue" until the
// first step, then one "prefill", "decode" or "verify" (guessed tokens) per step; instants: "add request" and
// "finish …". Each event has the form of MLC LLM's: {"name": "decode (3)", "ph": "B" | "E" | "i", "ts": µs, "pid": 1,
// "tid": request}, where the number counts the events of that name in the row. Old events make room for new ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/json.h"

namespace mlc::engine {

class EventTrace {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kMaxEvents = 1 << 17;

  explicit EventTrace(size_t max_events = kMaxEvents) : max_events_(max_events) {}

  void span(const std::string& row, std::string_view name, Clock::time_point begin, Clock::time_point end);
  void instant(const std::string& row, std::string_view name, Clock::time_point at);
  // The row gets no more events: its counters are forgotten.
  void close(const std::string& row);
  OrderedJson chrome_json() const;  // a list; times since the trace was made, ascending

 private:
  struct Event {
    std::string row, name;
    Clock::time_point begin, end;
    bool is_span = false;
  };
  void add(const std::string& row, std::string_view name, Clock::time_point begin, Clock::time_point end, bool is_span);

  const size_t max_events_;
  const Clock::time_point start_ = Clock::now();
  mutable std::mutex mutex_;
  std::deque<Event> events_;
  std::map<std::string, std::map<std::string, int, std::less<>>> counts_;  // row -> name -> events so far
};

}  // namespace mlc::engine
