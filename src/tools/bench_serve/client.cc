#include "tools/bench_serve/client.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "base/json.h"

namespace mlc::tools::bench_serve {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);
constexpr size_t kMaxRefusal = 64 << 10;  // bytes kept of an answer that is no stream

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string kind_of(const error_code& ec, const char* otherwise) {
  return ec == beast::error::timeout ? "timeout" : otherwise;
}

struct Exchange {
  int status = 0;
  std::string error, detail;  // as in Sample
};

// Sends one request; hands over the body's bytes as they come.
net::awaitable<Exchange> exchange(const Server& server, http::verb method, std::string path, std::string body,
                                  std::chrono::nanoseconds limit,
                                  std::function<void(int status, std::string_view bytes)> on_bytes) {
  Exchange out;
  beast::tcp_stream stream(co_await net::this_coro::executor);
  stream.expires_after(limit);
  auto [connect_error, endpoint] = co_await stream.async_connect(server.endpoints, kAwait);
  if (connect_error) {
    out.error = kind_of(connect_error, "connect");
    out.detail = connect_error.message();
    co_return out;
  }
  error_code ignored;
  stream.socket().set_option(net::ip::tcp::no_delay(true), ignored);
  http::request<http::string_body> request{method, server.prefix + path, 11};
  request.set(http::field::host, server.host + ":" + server.port);
  request.set(http::field::user_agent, "mlc_llm bench serve");
  request.set(http::field::accept, "text/event-stream, application/json");
  request.set(http::field::connection, "close");
  if (!server.api_key.empty()) request.set(http::field::authorization, "Bearer " + server.api_key);
  if (method == http::verb::post) request.set(http::field::content_type, "application/json");
  request.body() = std::move(body);
  request.prepare_payload();
  auto [write_error, written] = co_await http::async_write(stream, request, kAwait);
  beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  error_code ec = write_error;
  if (!ec) {
    auto [head_error, n] = co_await http::async_read_header(stream, buffer, parser, kAwait);
    ec = head_error;
  }
  if (!ec) out.status = static_cast<int>(parser.get().result_int());
  std::array<char, 16384> piece;
  while (!ec && !parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    auto [read_error, n] = co_await http::async_read_some(stream, buffer, parser, kAwait);
    ec = read_error == http::error::need_buffer ? error_code{} : read_error;
    const size_t got = piece.size() - parser.get().body().size;
    if (got > 0) on_bytes(out.status, {piece.data(), got});
  }
  if (ec) {
    out.error = kind_of(ec, "broken");
    out.detail = ec.message();
  }
  co_return out;
}

// What a refusal or an error event says.
std::string message_of(const Json& json) {
  const Json error = json.is_object() && json.contains("error") ? json["error"] : json;
  if (error.is_string()) return error;
  if (error.is_object() && error.contains("message") && error["message"].is_string()) return error["message"];
  return error.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 200);
}

// The text of a chunk of either endpoint, reasoning included.
bool has_text(const Json& chunk) {
  const auto filled = [](const Json& object, const char* key) {
    return object.contains(key) && object[key].is_string() && !object[key].get_ref<const std::string&>().empty();
  };
  if (!chunk.contains("choices") || !chunk["choices"].is_array()) return false;
  for (const Json& choice : chunk["choices"]) {
    if (!choice.is_object()) continue;
    if (filled(choice, "text")) return true;
    if (!choice.contains("delta") || !choice["delta"].is_object()) continue;
    const Json& delta = choice["delta"];
    if (filled(delta, "content") || filled(delta, "reasoning_content") || filled(delta, "reasoning")) return true;
  }
  return false;
}

// Builds a sample out of the events of a stream.
struct Listener {
  Clock::time_point begin = Clock::now();
  Sample sample;
  EventParser parser;
  std::string refusal;  // the body of what is no stream
  double last = 0;
  int64_t pieces = 0;
  bool done = false;

  void bytes(int status, std::string_view text) {
    if (status != 200) {
      refusal += text.substr(0, kMaxRefusal - std::min(kMaxRefusal, refusal.size()));
      return;
    }
    const double now = seconds_since(begin);
    parser.feed(text, [this, now](std::string_view data) { event(now, data); });
  }

  void event(double now, std::string_view data) {
    if (data == "[DONE]") {
      done = true;
      return;
    }
    const Json chunk = Json::parse(data, nullptr, false);
    if (!chunk.is_object() || (chunk.contains("error") && !chunk["error"].is_null())) {
      sample.error = "stream";
      sample.detail = chunk.is_object() ? message_of(chunk) : "an event that is no JSON object";
      return;
    }
    if (chunk.contains("usage") && chunk["usage"].is_object()) {
      const Json& usage = chunk["usage"];
      const auto count = [&usage](const char* key) {
        return usage.contains(key) && usage[key].is_number_integer() ? usage[key].get<int64_t>() : 0;
      };
      sample.prompt_tokens = count("prompt_tokens");
      sample.output_tokens = count("completion_tokens");
      sample.counted_by_server = sample.output_tokens > 0;
    }
    if (!has_text(chunk)) return;
    if (pieces++ == 0) {
      sample.ttft = now;
    } else {
      sample.itl.push_back(now - last);
    }
    last = now;
  }

  Sample finish(const Exchange& e) {
    sample.e2e = seconds_since(begin);
    if (!sample.counted_by_server) sample.output_tokens = pieces;
    if (!sample.error.empty()) return std::move(sample);
    if (!e.error.empty() && !done) {
      sample.error = e.error;
      sample.detail = e.detail;
    } else if (e.status != 200) {
      sample.error = fmt::format("http_{}", e.status);
      const Json json = Json::parse(refusal, nullptr, false);
      sample.detail = json.is_discarded() ? refusal.substr(0, 200) : message_of(json);
    } else if (!done) {
      sample.error = "broken";
      sample.detail = "the stream ended before [DONE]";
    } else if (pieces == 0) {
      sample.error = "empty";
      sample.detail = "an answer without text";
    }
    return std::move(sample);
  }
};

}  // namespace

Result<Server> Server::parse(const std::string& url, const std::string& api_key) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return error("--base-url is \"{}\", expected http://HOST:PORT (https is not spoken here: put a proxy before it)",
                 url);
  }
  Server s;
  s.api_key = api_key;
  std::string rest = url.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  s.prefix = rest.substr(slash);
  while (s.prefix.ends_with('/')) s.prefix.pop_back();
  if (s.prefix.ends_with("/v1")) s.prefix.resize(s.prefix.size() - 3);
  rest.resize(slash);
  const size_t bracket = rest.rfind(']');
  const size_t colon = rest.find(':', bracket == std::string::npos ? 0 : bracket);
  s.host = rest.substr(0, colon);
  s.port = colon == std::string::npos ? "80" : rest.substr(colon + 1);
  const bool digits = !s.port.empty() && s.port.find_first_not_of("0123456789") == std::string::npos;
  if (s.host.empty() || !digits || s.port.size() > 5) {
    return error("--base-url is \"{}\", expected http://HOST:PORT", url);
  }
  std::string name = s.host;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  net::io_context io;
  net::ip::tcp::resolver resolver(io);
  error_code ec;
  const auto found = resolver.resolve(name, s.port, ec);
  if (ec || found.empty()) return error("there is no host \"{}\" ({})", s.host, ec.message());
  for (const auto& entry : found) s.endpoints.push_back(entry.endpoint());
  return s;
}

void EventParser::feed(std::string_view bytes, const std::function<void(std::string_view data)>& on_event) {
  rest_ += bytes;
  size_t at = 0;
  for (size_t end; (end = rest_.find('\n', at)) != std::string::npos; at = end + 1) {
    std::string_view line(rest_.data() + at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("data:")) {
      line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
      if (!data_.empty()) data_ += '\n';
      data_ += line;
    } else if (line.empty() && !data_.empty()) {
      on_event(data_);
      data_.clear();
    }
  }
  rest_.erase(0, at);
}

net::awaitable<Sample> ask(const Server& server, std::string path, std::string body, std::chrono::nanoseconds limit) {
  Listener listener;
  const Exchange e =
      co_await exchange(server, http::verb::post, std::move(path), std::move(body), limit,
                        [&listener](int status, std::string_view bytes) { listener.bytes(status, bytes); });
  co_return listener.finish(e);
}

Result<std::string> get(const Server& server, const std::string& path, std::chrono::nanoseconds limit) {
  net::io_context io(1);
  std::string body;
  Exchange e;
  net::co_spawn(
      io,
      [&]() -> net::awaitable<void> {
        e = co_await exchange(server, http::verb::get, path, "", limit,
                              [&body](int, std::string_view bytes) { body += bytes; });
      },
      net::detached);
  io.run();
  const std::string where = fmt::format("http://{}:{}{}{}", server.host, server.port, server.prefix, path);
  if (!e.error.empty()) return mlc::error(ErrorCode::kUnavailable, "{} does not answer: {}", where, e.detail);
  if (e.status != 200) {
    const Json json = Json::parse(body, nullptr, false);
    return mlc::error(ErrorCode::kUnavailable, "{} answers {}: {}", where, e.status,
                      json.is_discarded() ? body.substr(0, 200) : message_of(json));
  }
  return body;
}

}  // namespace mlc::tools::bench_serve
