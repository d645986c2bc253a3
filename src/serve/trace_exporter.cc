#include "serve/trace_exporter.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cstdlib>
#include <random>

#include "base/log.h"

namespace mlc::serve {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr size_t kMostWaiting = 2048;  // spans; more are dropped
constexpr size_t kBatch = 256;
constexpr auto kInterval = std::chrono::seconds(1);
constexpr auto kSendLimit = std::chrono::seconds(5);

std::string hex(size_t digits) {
  static thread_local std::mt19937_64 source{(uint64_t{std::random_device{}()} << 32) | std::random_device{}()};
  std::string out;
  while (out.size() < digits) out += fmt::format("{:016x}", source());
  return out.substr(0, digits);
}

std::string nanoseconds(std::chrono::system_clock::time_point t) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count());
}

OrderedJson value_json(const OrderedJson& value) {
  if (value.is_number_integer()) return {{"intValue", std::to_string(value.get<int64_t>())}};
  if (value.is_number()) return {{"doubleValue", value}};
  if (value.is_boolean()) return {{"boolValue", value}};
  if (!value.is_array()) return {{"stringValue", value.is_string() ? value : OrderedJson(value.dump())}};
  OrderedJson values = OrderedJson::array();
  for (const OrderedJson& each : value) values.push_back(value_json(each));
  return {{"arrayValue", {{"values", std::move(values)}}}};
}

OrderedJson attributes_json(const OrderedJson& attributes) {
  OrderedJson out = OrderedJson::array();
  for (const auto& [key, value] : attributes.items()) out.push_back({{"key", key}, {"value", value_json(value)}});
  return out;
}

OrderedJson span_json(const RequestSpan& span) {
  OrderedJson out = {{"traceId", span.trace_id.empty() ? hex(32) : span.trace_id}, {"spanId", hex(16)}};
  if (!span.parent_id.empty()) out["parentSpanId"] = span.parent_id;
  out["name"] = span.name;
  out["kind"] = 2;  // server
  out["startTimeUnixNano"] = nanoseconds(span.begin);
  out["endTimeUnixNano"] = nanoseconds(span.end);
  out["attributes"] = attributes_json(span.attributes);
  if (span.failed) out["status"] = {{"code", 2}};
  return out;
}

}  // namespace

OrderedJson export_body(const std::string& service, const std::deque<RequestSpan>& spans) {
  OrderedJson list = OrderedJson::array();
  for (const RequestSpan& span : spans) list.push_back(span_json(span));
  const OrderedJson scope = {{"scope", {{"name", "mlc_llm.serve"}}}, {"spans", std::move(list)}};
  const OrderedJson resource = {{"attributes", attributes_json({{"service.name", service}})}};
  return {
      {"resourceSpans", OrderedJson::array({{{"resource", resource}, {"scopeSpans", OrderedJson::array({scope})}}})}};
}

Result<std::unique_ptr<TraceExporter>> TraceExporter::from_environment() {
  const auto get = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string url = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  if (url.empty()) {
    url = get("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (url.empty()) return std::unique_ptr<TraceExporter>();
    url += url.ends_with('/') ? "v1/traces" : "/v1/traces";
  }
  const std::string service = get("OTEL_SERVICE_NAME");
  return create(url, service.empty() ? "mlc_llm" : service);
}

Result<std::unique_ptr<TraceExporter>> TraceExporter::create(const std::string& url, const std::string& service) {
  constexpr std::string_view kScheme = "http://";
  const Error wrong = error("the traces' endpoint is {}; expected http://HOST[:PORT][/PATH]", url);
  if (!url.starts_with(kScheme)) return wrong;
  const std::string rest = url.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string authority = rest.substr(0, slash);
  const size_t colon = std::min(authority.rfind(':'), authority.size());
  Address a{authority.substr(0, colon), "4318", slash < rest.size() ? rest.substr(slash) : "/"};
  if (colon < authority.size()) a.port = authority.substr(colon + 1);
  const bool number = !a.port.empty() && a.port.find_first_not_of("0123456789") == std::string::npos;
  if (a.host.empty() || !number) return wrong;
  return std::unique_ptr<TraceExporter>(new TraceExporter(std::move(a), service));
}

TraceExporter::TraceExporter(Address address, std::string service)
    : address_(std::move(address)), service_(std::move(service)), thread_([this] { loop(); }) {}

TraceExporter::~TraceExporter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void TraceExporter::add(RequestSpan span) {
  std::lock_guard lock(mutex_);
  if (spans_.size() >= kMostWaiting) return;
  spans_.push_back(std::move(span));
  if (spans_.size() >= kBatch) wake_.notify_one();
}

void TraceExporter::loop() {
  bool reached = true;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, kInterval, [&] { return stopping_ || spans_.size() >= kBatch; });
    if (spans_.empty()) {
      if (stopping_) return;
      continue;
    }
    const std::deque<RequestSpan> batch = std::exchange(spans_, {});
    const bool last = stopping_;
    lock.unlock();
    const OrderedJson body = export_body(service_, batch);
    const bool sent = send(body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
    // Said once per outage.
    if (!sent && reached) log::warn("no traces reach {}:{}; they are dropped", address_.host, address_.port);
    reached = sent;
    lock.lock();
    if (last) return;
  }
}

// Within kSendLimit, or not at all.
bool TraceExporter::send(const std::string& body) const {
  net::io_context io;
  bool accepted = false;
  const auto exchange = [&]() -> net::awaitable<void> {
    net::ip::tcp::resolver resolver(io);
    const auto found = co_await resolver.async_resolve(address_.host, address_.port, net::use_awaitable);
    beast::tcp_stream stream(io);
    stream.expires_after(kSendLimit);
    co_await stream.async_connect(found, net::use_awaitable);
    http::request<http::string_body> request{http::verb::post, address_.path, 11, body};
    request.set(http::field::host, address_.host);
    request.set(http::field::content_type, "application/json");
    request.prepare_payload();
    co_await http::async_write(stream, request, net::use_awaitable);
    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, net::use_awaitable);
    accepted = response.result_int() / 100 == 2;
  };
  net::co_spawn(io, exchange(), [](const std::exception_ptr&) {});  // a fault shows in `accepted`
  io.run_for(kSendLimit);
  return accepted;
}

}  // namespace mlc::serve
