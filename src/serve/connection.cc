#include "serve/connection.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <charconv>
#include <cmath>
#include <random>

#include "base/event_log.h"
#include "base/log.h"

namespace mlc::serve {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);
constexpr size_t kMaxPipelined = 64 << 10;  // bytes taken ahead while an answer is being made
constexpr size_t kMaxDiscarded = 64 << 20;  // bytes of a refused body that are read to let the refusal arrive
constexpr std::chrono::seconds kLingerTime{2};
constexpr int kClientLeft = 499;  // nginx's status for it; in the log only

std::string url_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// A client's own id is repeated if it can stand in a header and a log line as it is.
std::string choose_request_id(std::string_view given) {
  const bool usable = !given.empty() && given.size() <= 128 && std::all_of(given.begin(), given.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == ':';
  });
  if (usable) return std::string(given);
  static thread_local std::mt19937_64 source{(uint64_t{std::random_device{}()} << 32) | std::random_device{}()};
  return fmt::format("req-{:016x}", source());
}

// The trace id of a W3C traceparent ("00-<32 hex>-<16 hex>-<2 hex>"), or nothing.
std::string trace_id(const std::string& traceparent) {
  if (traceparent.size() < 55 || traceparent[2] != '-' || traceparent[35] != '-') return "";
  const std::string id = traceparent.substr(3, 32);
  const bool hex = id.find_first_not_of("0123456789abcdef") == std::string::npos;
  return hex && id.find_first_not_of('0') != std::string::npos ? id : "";
}

int64_t milliseconds(double seconds) { return static_cast<int64_t>(std::lround(seconds * 1e3)); }

using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

template <typename Stream>
class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection<Stream>> {
 public:
  HttpConnection(Stream stream, ServerContext& context, const Routes& routes,
                 std::function<void(Connection*)> on_closed)
      : stream_(std::move(stream)),
        context_(context),
        routes_(routes),
        on_closed_(std::move(on_closed)),
        wake_(stream_.get_executor()),
        write_timer_(stream_.get_executor()) {
    error_code ignored;
    tcp().socket().set_option(net::ip::tcp::no_delay(true), ignored);
  }

  void start() override {
    net::co_spawn(
        stream_.get_executor(), [self = this->shared_from_this()] { return self->run(); },
        [self = this->shared_from_this()](const std::exception_ptr& fault) { self->ended(fault); });
  }
  void drain() override {
    net::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->idle_) self->close();
    });
  }
  void cut_short() override {
    net::post(stream_.get_executor(), [self = this->shared_from_this()] {
      self->cut_ = true;
      self->signal();
      if (self->idle_) self->close();
    });
  }
  void abort() override {
    net::post(stream_.get_executor(), [self = this->shared_from_this()] {
      self->gone_ = true;
      self->signal();
      self->close();
    });
  }

 private:
  using Parser = http::request_parser<http::string_body>;
  using Headers = std::vector<std::pair<std::string, std::string>>;

  const ServerOptions& options() const { return context_.options; }
  beast::tcp_stream& tcp() { return beast::get_lowest_layer(stream_); }

  void close() {
    error_code ignored;
    tcp().socket().cancel(ignored);  // closing does not end a pending write everywhere: not under Wine 8
    tcp().socket().shutdown(net::ip::tcp::socket::shutdown_both, ignored);
    tcp().socket().close(ignored);
  }

  void ended(const std::exception_ptr& fault) {
    try {
      if (fault) std::rethrow_exception(fault);
    } catch (const std::exception& e) {
      log::error("a connection ended with an exception: {}", e.what());
    }
    close();
    on_closed_(this);
  }

  net::awaitable<void> run() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      tcp().expires_after(options().header_timeout);
      auto [ec] = co_await stream_.async_handshake(net::ssl::stream_base::server, kAwait);
      if (ec) co_return;
    }
    co_await requests();
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      if (gone_ || !tcp().socket().is_open()) co_return;
      tcp().expires_after(kLingerTime);
      (void)co_await stream_.async_shutdown(kAwait);
    }
  }

  net::awaitable<void> requests() {
    bool first = true;
    while (!gone_ && !context_.refusing) {
      const bool arrived = co_await wait_for_request(first);
      if (!arrived) break;
      first = false;
      Parser parser;
      parser.header_limit(options().max_header_bytes);
      parser.body_limit(static_cast<uint64_t>(options().max_body_bytes));
      const bool again = co_await one_request(parser);
      if (!again) break;
    }
  }

  // Until the first byte of a request is there. Between requests a client may take its time; a new one may not.
  net::awaitable<bool> wait_for_request(bool first) {
    if (buffer_.size() > 0) co_return true;
    idle_ = true;
    tcp().expires_after(first ? options().header_timeout : options().idle_timeout);
    auto [ec, n] = co_await stream_.async_read_some(buffer_.prepare(4096), kAwait);
    idle_ = false;
    if (!ec) buffer_.commit(n);
    co_return !ec;
  }

  // Reads and answers one request; false: the connection is to be closed.
  net::awaitable<bool> one_request(Parser& parser) {
    started_ = Clock::now();
    request_ = {};
    body_bytes_ = 0;
    keep_alive_ = false;
    tcp().expires_after(options().header_timeout);
    auto [ec, n] = co_await http::async_read_header(stream_, buffer_, parser, kAwait);
    if (ec) {
      const bool answered = co_await refuse_unreadable(ec);
      co_return answered && false;
    }
    read_head(parser.get());
    auto refused = routes_.check(request_);
    if (refused) {
      const bool body_follows = !parser.is_done();
      keep_alive_ = keep_alive_ && !body_follows;
      const bool sent = co_await send(std::move(*refused));
      if (sent && body_follows) co_await discard_input();
      co_return sent&& keep_alive_;
    }
    const bool whole = co_await read_body(parser);
    if (!whole) co_return false;
    request_.body = std::move(parser.get().body());
    const bool answered = co_await answer();
    co_return answered&& keep_alive_;
  }

  void read_head(const http::request<http::string_body>& head) {
    const auto text = [&head](http::field name) {
      const auto value = head[name];
      return std::string(value.data(), value.size());
    };
    request_.method = std::string(head.method_string());
    const std::string target(head.target());
    request_.path = url_decode(target.substr(0, target.find_first_of("?#")));
    request_.authorization = text(http::field::authorization);
    const auto other = [&head](const char* name) {
      const auto value = head[name];
      return std::string(value.data(), value.size());
    };
    request_.x_api_key = other("X-Api-Key");
    request_.traceparent = other("traceparent");
    request_.content_type = text(http::field::content_type);
    request_.accept_encoding = text(http::field::accept_encoding);
    request_.if_none_match = text(http::field::if_none_match);
    request_.origin = text(http::field::origin);
    request_.cors_headers = text(http::field::access_control_request_headers);
    request_.request_id = choose_request_id(other("X-Request-Id"));
    keep_alive_ = head.keep_alive();
    version_ = head.version();
    expects_continue_ = beast::iequals(head[http::field::expect], "100-continue");
  }

  net::awaitable<bool> read_body(Parser& parser) {
    tcp().expires_after(options().body_timeout);
    if (expects_continue_ && !parser.is_done()) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      auto [ec, n] = co_await net::async_write(stream_, net::buffer(kContinue), kAwait);
      if (ec) co_return false;
    }
    auto [ec, n] = co_await http::async_read(stream_, buffer_, parser, kAwait);
    if (!ec) co_return true;
    const bool answered = co_await refuse_unreadable(ec);
    co_return answered && false;
  }

  // A request that is no HTTP or too large: told why, then closed. Silence for those who left or timed out.
  net::awaitable<bool> refuse_unreadable(error_code ec) {
    protocol::ApiError e;
    if (ec == http::error::body_limit) {
      e.status = 413;
      e.message = fmt::format("The request body is larger than {} bytes.", options().max_body_bytes);
      e.code = "request_too_large";
    } else if (ec == http::error::header_limit) {
      e.status = 431;
      e.message = fmt::format("The request header is larger than {} bytes.", options().max_header_bytes);
      e.code = "header_too_large";
    } else if (ec.category() == http::make_error_code(http::error::bad_method).category() &&
               ec != http::error::end_of_stream && ec != http::error::partial_message) {
      e.message = fmt::format("This is no valid HTTP request: {}.", ec.message());
      e.code = "invalid_http";
    } else {
      co_return false;
    }
    keep_alive_ = false;
    const bool sent = co_await send(error_reply(e));
    if (sent) co_await discard_input();
    co_return sent;
  }

  // Closing a socket with unread input resets it, and the client may then lose our answer: read on for a moment.
  net::awaitable<void> discard_input() {
    error_code ignored;
    tcp().socket().shutdown(net::ip::tcp::socket::shutdown_send, ignored);
    tcp().expires_after(kLingerTime);
    std::string scrap(64 << 10, '\0');
    for (size_t total = 0; total < kMaxDiscarded;) {
      auto [ec, n] = co_await stream_.async_read_some(net::buffer(scrap), kAwait);
      if (ec) break;
      total += n;
    }
  }

  net::awaitable<bool> answer() {
    struct Counted {
      explicit Counted(std::atomic<int>& c) : count(c), number(++c) {}
      ~Counted() { --count; }
      Counted(const Counted&) = delete;
      Counted& operator=(const Counted&) = delete;
      std::atomic<int>& count;
      const int number;
    };
    const bool generates = Routes::generates(request_.path);
    const auto counted = generates ? std::make_unique<Counted>(context_.requests) : nullptr;
    if (counted) {
      auto refused = routes_.admit(request_, counted->number);
      if (refused) {
        const bool sent = co_await send(std::move(*refused));
        co_return sent;
      }
    }
    body_bytes_ = request_.body.size();
    signalled_ = false;
    RouteAnswer a = routes_.handle(request_, make_notify());
    request_.body = {};
    if (!a.answer) {
      const bool sent = co_await send(std::move(a.reply));
      co_return sent;
    }
    const bool streaming = a.answer->streaming();
    watch_for_leaving();
    bool sent = false;
    if (streaming) {
      sent = co_await send_stream(*a.answer);
    } else {
      sent = co_await send_whole(*a.answer);
    }
    a.answer.reset();  // cancels what still runs, before anything else is waited for
    co_await end_watch();
    co_return sent && !gone_;
  }

  // ---- waiting for the engine ----

  protocol::Generation::Notify make_notify() {
    return [weak = this->weak_from_this(), executor = stream_.get_executor()] {
      net::post(executor, [weak] {
        if (auto self = weak.lock()) self->signal();
      });
    };
  }
  void signal() {
    signalled_ = true;
    wake_.cancel();
  }
  // Returns when signalled, or after `limit`.
  net::awaitable<void> wait_for_signal(Clock::duration limit) {
    if (!signalled_) {
      wake_.expires_after(limit);
      co_await wake_.async_wait(kAwait);
    }
    signalled_ = false;
  }

  // Reads while an answer is being made: the end of input means that the client left; bytes belong to its next request.
  void watch_for_leaving() {
    watching_ = true;
    tcp().expires_never();  // of this read; writes set their own limit
    stream_.async_read_some(buffer_.prepare(4096), [self = this->shared_from_this()](error_code ec, size_t n) {
      self->watching_ = false;
      if (!ec) {
        self->buffer_.commit(n);
        if (self->buffer_.size() < kMaxPipelined && !self->watch_ends_) return self->watch_for_leaving();
      } else if (ec != net::error::operation_aborted) {
        self->gone_ = true;
      }
      self->signal();
    });
  }
  net::awaitable<void> end_watch() {
    watch_ends_ = true;
    while (watching_) {
      error_code ignored;
      tcp().socket().cancel(ignored);
      co_await wait_for_signal(std::chrono::seconds(1));
    }
    watch_ends_ = false;
  }

  // ---- sending ----

  // Ends the connection when the client takes nothing of the write in its scope for too long.
  class WriteLimit {
   public:
    explicit WriteLimit(HttpConnection& connection) : timer_(connection.write_timer_) {
      connection.tcp().expires_never();
      timer_.expires_after(connection.options().write_timeout);
      timer_.async_wait([self = connection.shared_from_this()](error_code ec) {
        if (ec || self->write_timer_.expiry() > Clock::now()) return;  // the write ended meanwhile
        self->gone_ = true;
        self->close();
      });
    }
    ~WriteLimit() { timer_.expires_at(Clock::time_point::max()); }
    WriteLimit(const WriteLimit&) = delete;
    WriteLimit& operator=(const WriteLimit&) = delete;

   private:
    net::steady_timer& timer_;
  };

  net::awaitable<bool> send_whole(protocol::Answer& answer) {
    while (!gone_ && !cut_) {
      answer.poll();
      if (answer.finished()) break;
      co_await wait_for_signal(std::chrono::hours(1));
    }
    HttpReply reply;
    if (gone_) {
      reply.status = kClientLeft;
    } else if (!answer.finished()) {
      reply = as_reply(answer, shutting_down());
    } else if (answer.failed()) {
      reply = as_reply(answer, *answer.failed());
    } else {
      reply.body = answer.body();
    }
    note_answer(answer, reply.status);
    if (gone_) co_return false;
    const bool sent = co_await send(std::move(reply), /*logged=*/true);
    co_return sent;
  }

  net::awaitable<bool> send_stream(protocol::Answer& answer) {
    http::response<http::empty_body> head{http::status::ok, version_};
    fill_head(head, routes_.common_headers(request_));
    head.set(http::field::content_type, "text/event-stream; charset=utf-8");
    head.set(http::field::cache_control, "no-cache");
    head.set("X-Accel-Buffering", "no");
    chunked_ = version_ >= 11;
    keep_alive_ = keep_alive_ && chunked_;
    head.keep_alive(keep_alive_);
    head.chunked(chunked_);
    http::response_serializer<http::empty_body> serializer{head};
    bool ok = false;
    {
      const WriteLimit limit(*this);
      auto [ec, n] = co_await http::async_write_header(stream_, serializer, kAwait);
      ok = !ec;
    }
    while (ok && !gone_) {
      answer.poll();
      std::string events = answer.take_events();
      bool last = answer.finished();
      if (cut_ && !last) {
        events += protocol::sse_event(protocol::dump(answer.error_json(shutting_down())));
        last = true;
      }
      if (!events.empty()) {
        ok = co_await send_chunk(events);
      }
      if (last) break;
      if (!events.empty()) continue;
      const auto begin = Clock::now();
      co_await wait_for_signal(options().keep_alive_comment);
      if (Clock::now() - begin >= options().keep_alive_comment) {
        ok = co_await send_chunk(": still here\n\n");
      }
    }
    const bool complete = ok && !gone_;
    if (complete && chunked_) {
      ok = co_await send_raw("0\r\n\r\n");
    }
    const bool failed = answer.failed() || !answer.finished();
    note_answer(answer, !complete ? kClientLeft : failed ? 500 : 200);
    co_return complete&& ok;
  }

  net::awaitable<bool> send_chunk(std::string data) {
    if (chunked_) data = fmt::format("{:x}\r\n{}\r\n", data.size(), data);
    const bool ok = co_await send_raw(std::move(data));
    co_return ok;
  }
  net::awaitable<bool> send_raw(std::string data) {
    const WriteLimit limit(*this);
    auto [ec, n] = co_await net::async_write(stream_, net::buffer(data), kAwait);
    co_return !ec;
  }

  static protocol::ApiError shutting_down() { return protocol::overloaded("The server is shutting down."); }
  static HttpReply as_reply(const protocol::Answer& answer, const protocol::ApiError& e) {
    HttpReply reply = error_reply(e);
    reply.body = protocol::dump(answer.error_json(e));
    return reply;
  }

  net::awaitable<bool> send(HttpReply reply, bool logged = false) {
    keep_alive_ = keep_alive_ && !context_.refusing;
    if (!logged) note(reply.status, OrderedJson::object());
    http::response<http::string_body> response{static_cast<http::status>(reply.status), version_};
    fill_head(response, routes_.common_headers(request_));
    fill_head(response, reply.headers);
    if (!reply.content_type.empty()) response.set(http::field::content_type, reply.content_type);
    response.keep_alive(keep_alive_);
    const size_t size = reply.body.size();
    if (request_.method != "HEAD") response.body() = std::move(reply.body);
    if (reply.status != 204 && reply.status != 304) response.content_length(size);
    const WriteLimit limit(*this);
    auto [ec, n] = co_await http::async_write(stream_, response, kAwait);
    co_return !ec;
  }

  template <typename Response>
  static void fill_head(Response& response, const Headers& headers) {
    response.set(http::field::server, "mlc_llm");
    for (const auto& [name, value] : headers) response.set(name, value);
  }

  // ---- what is kept of a request: a line in the log and the metrics, never its text ----

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  void note(int status, const OrderedJson& more) const {
    const std::string label = Routes::label(request_.path);
    const double seconds = elapsed();
    context_.metrics.http_request(request_.method, label, status, seconds, body_bytes_);
    const std::string trace = trace_id(request_.traceparent);
    OrderedJson fields = {{"request_id", request_.request_id},
                          {"method", request_.method},
                          {"route", label},
                          {"status", status},
                          {"e2e_ms", milliseconds(seconds)}};
    if (!trace.empty()) fields["trace_id"] = trace;
    fields.update(more);
    log::event("request", fields);
  }

  RequestSpan span_of(const protocol::AnswerFacts& facts, int status) const {
    RequestSpan span;
    span.trace_id = trace_id(request_.traceparent);
    if (!span.trace_id.empty()) span.parent_id = request_.traceparent.substr(36, 16);
    const char* operation = request_.path == "/v1/completions"  ? "text_completion"
                            : request_.path == "/v1/embeddings" ? "embeddings"
                                                                : "chat";
    span.name = fmt::format("{} {}", operation, facts.model);
    span.end = std::chrono::system_clock::now();
    span.begin = span.end - std::chrono::duration_cast<std::chrono::system_clock::duration>(Clock::now() - started_);
    span.failed = status >= 500;
    span.attributes = {{"gen_ai.operation.name", operation},
                       {"gen_ai.provider.name", "mlc_llm"},
                       {"gen_ai.request.model", facts.model},
                       {"gen_ai.response.model", facts.model},
                       {"gen_ai.response.finish_reasons", facts.finish_reasons},
                       {"gen_ai.usage.input_tokens", facts.prompt_tokens},
                       {"gen_ai.usage.output_tokens", facts.completion_tokens},
                       {"http.route", Routes::label(request_.path)},
                       {"http.response.status_code", status},
                       {"mlc.request_id", request_.request_id}};
    if (status >= 400) span.attributes["error.type"] = std::to_string(status);
    return span;
  }

  void note_answer(const protocol::Answer& answer, int status) const {
    const protocol::AnswerFacts facts = answer.facts();
    if (status == kClientLeft) {
      context_.metrics.request_cancelled(facts.model);
    } else if (status != 200) {
      context_.metrics.request_failed("error");
    } else {
      for (const std::string& reason : facts.finish_reasons) context_.metrics.request_succeeded(facts.model, reason);
      const double before = context_.request_seconds;
      context_.request_seconds = before == 0 ? elapsed() : 0.9 * before + 0.1 * elapsed();
    }
    OrderedJson fields = {
        {"model", facts.model}, {"prompt_tokens", facts.prompt_tokens}, {"completion_tokens", facts.completion_tokens}};
    if (facts.times.queued >= 0) fields["queue_ms"] = milliseconds(facts.times.queued);
    if (facts.times.first_token >= 0) fields["ttft_ms"] = milliseconds(facts.times.first_token);
    if (!facts.finish_reasons.empty()) fields["finish_reason"] = facts.finish_reasons.front();
    if (status == kClientLeft) fields["finish_reason"] = "abort";
    note(status, fields);
    if (context_.traces) context_.traces->add(span_of(facts, status));
  }

  Stream stream_;
  ServerContext& context_;
  const Routes& routes_;
  std::function<void(Connection*)> on_closed_;
  beast::flat_buffer buffer_;  // input that is read but not yet used
  net::steady_timer wake_;
  net::steady_timer write_timer_;
  bool signalled_ = false;
  bool watching_ = false;  // a read of watch_for_leaving() is pending
  bool watch_ends_ = false;
  bool gone_ = false;  // the client left, or abort()
  bool cut_ = false;   // what is being answered ends now
  bool idle_ = false;  // between requests

  // The request being answered.
  HttpRequest request_;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
  bool chunked_ = false;
  unsigned version_ = 11;
  size_t body_bytes_ = 0;
  Clock::time_point started_;
};

}  // namespace

std::shared_ptr<Connection> make_connection(net::ip::tcp::socket socket, net::ssl::context* tls, ServerContext& context,
                                            const Routes& routes, std::function<void(Connection*)> on_closed) {
  if (tls == nullptr) {
    return std::make_shared<HttpConnection<PlainStream>>(PlainStream(std::move(socket)), context, routes,
                                                         std::move(on_closed));
  }
  return std::make_shared<HttpConnection<TlsStream>>(TlsStream(beast::tcp_stream(std::move(socket)), *tls), context,
                                                     routes, std::move(on_closed));
}

}  // namespace mlc::serve
