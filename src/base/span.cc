#include "base/span.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/knobs.h"

namespace mlc {
namespace {

struct Event {
  std::string name;
  int thread = 0;
  int64_t start_ns = 0, duration_ns = 0;
  std::string args = {};  // a JSON object's body
};

struct Trace {
  std::string path = knob("MLC_TRACE");
  std::mutex mutex;
  std::vector<Event> events;
};

// Never destroyed: spans of threads that outlive main() may still end.
Trace& trace() {
  static Trace* t = [] {
    auto* fresh = new Trace;
    if (!fresh->path.empty()) std::atexit(flush_trace);
    return fresh;
  }();
  return *t;
}

int64_t now_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

int thread_number() {
  static std::atomic<int> next{1};
  thread_local const int mine = next.fetch_add(1);
  return mine;
}

void record(Event event) {
  Trace& t = trace();
  std::lock_guard lock(t.mutex);
  t.events.push_back(std::move(event));
}

}  // namespace

bool trace_enabled() {
  static const bool enabled = !trace().path.empty();
  return enabled;
}

void Span::begin(std::string_view name) {
  name_ = name;
  start_ns_ = now_ns();
}

void Span::end() { record({std::move(name_), thread_number(), start_ns_, now_ns() - start_ns_}); }

void trace_event(std::string_view name, int64_t start_ns, int64_t duration_ns,
                 std::initializer_list<TraceNumber> args) {
  if (!trace_enabled()) return;
  Event event{std::string(name), thread_number(), start_ns, duration_ns};
  for (const TraceNumber& a : args) {
    event.args += fmt::format("{}\"{}\":{:.0f}", event.args.empty() ? "" : ",", a.name, a.value);
  }
  record(std::move(event));
}

void flush_trace() {
  Trace& t = trace();
  if (t.path.empty()) return;
  std::lock_guard lock(t.mutex);
  std::FILE* file = std::fopen(t.path.c_str(), "w");
  if (file == nullptr) {
    fmt::print(stderr, "cannot write the trace to {}\n", t.path);
    return;
  }
  fmt::print(file, "[");
  for (size_t i = 0; i < t.events.size(); ++i) {
    const Event& e = t.events[i];
    fmt::print(file, "{}\n{{\"name\":{},\"ph\":\"X\",\"pid\":{},\"tid\":{},\"ts\":{:.3f},\"dur\":{:.3f}{}}}",
               i == 0 ? "" : ",", nlohmann::json(e.name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
               getpid(), e.thread, static_cast<double>(e.start_ns) / 1e3, static_cast<double>(e.duration_ns) / 1e3,
               e.args.empty() ? "" : ",\"args\":{" + e.args + "}");
  }
  fmt::print(file, "\n]\n");
  std::fclose(file);
}

}  // namespace mlc
