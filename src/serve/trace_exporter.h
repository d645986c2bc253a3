// Sends one span per answered request to an OpenTelemetry collector: OTLP over HTTP, JSON encoding, with the names of
// the GenAI semantic conventions. What clients and models say is never part of it.
//
//   MLC_TRY(auto exporter, TraceExporter::from_environment());   // null unless OTEL_EXPORTER_OTLP_ENDPOINT is set
//   if (exporter) exporter->add(span);                           // never waits: a span too many is dropped
//
// The environment: OTEL_EXPORTER_OTLP_ENDPOINT (http://host:4318; /v1/traces is added), or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT (the whole address); OTEL_SERVICE_NAME (default mlc_llm).
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/json.h"
#include "base/result.h"

namespace mlc::serve {

struct RequestSpan {
  std::string trace_id;   // 32 hexadecimal digits; empty: a new one
  std::string parent_id;  // 16; empty: none
  std::string name;       // "chat llama"
  std::chrono::system_clock::time_point begin, end;
  OrderedJson attributes = OrderedJson::object();  // strings, integers, lists of strings
  bool failed = false;
};

class TraceExporter {
 public:
  // Errors: kInvalidArgument for an address that is not http://host[:port][/path].
  static Result<std::unique_ptr<TraceExporter>> from_environment();
  static Result<std::unique_ptr<TraceExporter>> create(const std::string& url, const std::string& service);
  ~TraceExporter();  // sends what is left, for a second at most

  void add(RequestSpan span);

 private:
  struct Address {
    std::string host, port, path;
  };
  TraceExporter(Address address, std::string service);
  void loop();
  bool send(const std::string& body) const;

  const Address address_;
  const std::string service_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<RequestSpan> spans_;
  bool stopping_ = false;
  std::thread thread_;
};

// The body of one export: an ExportTraceServiceRequest.
OrderedJson export_body(const std::string& service, const std::deque<RequestSpan>& spans);

}  // namespace mlc::serve
