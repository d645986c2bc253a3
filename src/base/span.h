// Named, timed scopes. With $MLC_TRACE=file they are written as a Chrome trace when the program ends; without it a span
// costs one branch.
//
//   void compile() { MLC_SPAN("compile"); … }
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace mlc {

bool trace_enabled();
// An event that was timed elsewhere (std::chrono::steady_clock, nanoseconds), with numbers that the viewer shows.
struct TraceNumber {
  const char* name;
  double value;
};
void trace_event(std::string_view name, int64_t start_ns, int64_t duration_ns, std::initializer_list<TraceNumber> args);
// Writes what was recorded so far to $MLC_TRACE; also runs at exit.
void flush_trace();

class Span {
 public:
  explicit Span(std::string_view name) {
    if (trace_enabled()) begin(name);
  }
  ~Span() {
    if (start_ns_ >= 0) end();
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  void begin(std::string_view name);
  void end();
  std::string name_;
  int64_t start_ns_ = -1;
};

}  // namespace mlc

#define MLC_SPAN_CONCAT_INNER(a, b) a##b
#define MLC_SPAN_CONCAT(a, b) MLC_SPAN_CONCAT_INNER(a, b)
#define MLC_SPAN(name) ::mlc::Span MLC_SPAN_CONCAT(mlc_span_, __LINE__)(name)
