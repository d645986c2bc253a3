// mlc_llm health: asks a server whether it can take requests. Made for health checks of containers, whose images have
// no curl: exit code 0 when it answers 200 in time, else 1 and a line that says what came instead.
//
//   mlc_llm health                                              the server of this container
//   mlc_llm health --url https://10.0.0.7:8000/health/live --timeout 2
#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/version.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "tools/command.h"

namespace mlc::tools {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);
constexpr size_t kMaxBody = 64 << 10;
constexpr size_t kMaxShown = 200;  // bytes of a refusal that the error line repeats

struct Options {
  std::string url;
  double timeout = 5;
};

struct Url {
  std::string host, port, path;
  bool tls = false;
};

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

// The server that the same environment would start here.
std::string default_url() {
  const bool tls = !environment("MLC_LLM_SERVE_SSL_CERT", "").empty();
  return fmt::format("{}://127.0.0.1:{}", tls ? "https" : "http", environment("MLC_LLM_SERVE_PORT", "8000"));
}

Result<Url> parse_url(const std::string& text) {
  Url url;
  std::string rest = text;
  if (rest.starts_with("http://")) {
    rest = rest.substr(7);
  } else if (rest.starts_with("https://")) {
    url.tls = true;
    rest = rest.substr(8);
  } else {
    return error("--url is \"{}\", expected http://HOST:PORT/PATH or https://…", text);
  }
  const size_t slash = std::min(rest.find('/'), rest.size());
  url.path = slash + 1 < rest.size() ? rest.substr(slash) : "/health/ready";
  rest.resize(slash);
  const size_t bracket = rest.rfind(']');  // of an IPv6 address
  const size_t colon = rest.find(':', bracket == std::string::npos ? 0 : bracket);
  url.host = rest.substr(0, colon);
  if (url.host.starts_with('[') && url.host.ends_with(']')) url.host = url.host.substr(1, url.host.size() - 2);
  url.port = colon == std::string::npos ? (url.tls ? "443" : "80") : rest.substr(colon + 1);
  const bool digits = !url.port.empty() && url.port.find_first_not_of("0123456789") == std::string::npos;
  const bool plain = (url.host + url.path).find_first_of(" \t\r\n") == std::string::npos;
  if (url.host.empty() || !digits || url.port.size() > 5 || !plain) {
    return error("--url is \"{}\", expected http://HOST:PORT/PATH", text);
  }
  return url;
}

struct Answer {
  int status = 0;
  std::string body;
  error_code failure;
};

// One GET over a stream that is connected.
template <typename Stream>
net::awaitable<void> ask(Stream& stream, const Url& url, Answer* answer) {
  http::request<http::empty_body> request{http::verb::get, url.path, 11};
  request.set(http::field::host, url.host + ":" + url.port);
  request.set(http::field::user_agent, "mlc_llm health");
  request.set(http::field::connection, "close");
  auto [write_error, written] = co_await http::async_write(stream, request, kAwait);
  answer->failure = write_error;
  if (write_error) co_return;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxBody);
  auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kAwait);
  answer->failure = read_error;
  if (read_error) co_return;
  answer->status = static_cast<int>(parser.get().result_int());
  answer->body = std::move(parser.get().body());
}

net::awaitable<void> exchange(Url url, std::chrono::nanoseconds limit, Answer* answer) {
  const auto executor = co_await net::this_coro::executor;
  net::ip::tcp::resolver resolver(executor);
  auto [unknown, endpoints] = co_await resolver.async_resolve(url.host, url.port, kAwait);
  answer->failure = unknown;
  if (unknown) co_return;
  // Whether the certificate is the right one is not asked, as in Kubernetes' probes: nothing secret is sent, and a
  // server's certificate seldom names 127.0.0.1.
  ssl::context tls(ssl::context::tls_client);
  beast::ssl_stream<beast::tcp_stream> stream(executor, tls);
  beast::get_lowest_layer(stream).expires_after(limit);
  auto [refused, endpoint] = co_await beast::get_lowest_layer(stream).async_connect(endpoints, kAwait);
  answer->failure = refused;
  if (refused) co_return;
  if (!url.tls) {
    co_await ask(stream.next_layer(), url, answer);
    co_return;
  }
  auto [no_tls] = co_await stream.async_handshake(ssl::stream_base::client, kAwait);
  answer->failure = no_tls;
  if (!no_tls) co_await ask(stream, url, answer);
}

Result<int> run_health(const Options& o) {
  const std::string text = o.url.empty() ? default_url() : o.url;
  MLC_TRY(const Url url, parse_url(text));
  Answer answer;
  net::io_context io(1);
  const std::chrono::nanoseconds limit(static_cast<int64_t>(o.timeout * 1e9));
  net::co_spawn(io, exchange(url, limit, &answer), net::detached);
  io.run_for(limit + std::chrono::milliseconds(100));  // a name server that is silent is waited for no longer either
  const bool v6 = url.host.find(':') != std::string::npos;
  const std::string where =
      fmt::format("{}://{}:{}{}", url.tls ? "https" : "http", v6 ? "[" + url.host + "]" : url.host, url.port, url.path);
  if (answer.failure && answer.failure != beast::error::timeout) {
    return mlc::error(ErrorCode::kUnavailable, "{} does not answer: {}", where, answer.failure.message());
  }
  if (answer.status == 0) {
    return mlc::error(ErrorCode::kUnavailable, "{} does not answer within {} s", where, o.timeout);
  }
  if (answer.status != 200) {
    // It becomes part of one line: what is not plain text may be anything.
    for (char& c : answer.body) c = c >= ' ' && c <= '~' ? c : ' ';
    return mlc::error(ErrorCode::kUnavailable, "{} answers {}: {}", where, answer.status,
                      answer.body.substr(0, kMaxShown));
  }
  fmt::print("{} answers 200\n", where);
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_health(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("--url", o->url,
                 "What to ask, http or https; default: /health/ready at 127.0.0.1 and $MLC_LLM_SERVE_PORT, else 8000");
  app.add_option("--timeout", o->timeout, "Seconds to wait for the answer")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  return [o]() { return run_health(*o); };
}

}  // namespace mlc::tools
