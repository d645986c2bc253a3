// An HTTP client for one thing: ask a server for an answer and note when each piece of it arrives.
//
//   MLC_TRY(Server server, Server::parse("http://127.0.0.1:8000", key));
//   MLC_TRY(std::string body, get(server, "/v1/models", 10s));             // blocks
//   Sample s = co_await ask(server, "/v1/chat/completions", body, 60s);    // any number at once, in one thread
//
// Each question takes a connection of its own, and its time starts before that is made.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mlc::tools::bench_serve {

struct Server {
  std::string host, port, prefix;  // prefix: what stands before "/v1", without a slash at its end
  std::string api_key;             // empty: none is sent
  std::vector<boost::asio::ip::tcp::endpoint> endpoints;

  // http://HOST[:PORT][/PREFIX], with or without /v1 at the end. Errors: another scheme, an unknown host.
  static Result<Server> parse(const std::string& url, const std::string& api_key);
};

// One answer. Times are in seconds.
struct Sample {
  double start = 0;         // since the load began; set by whom it concerns
  double ttft = 0;          // until the first piece with text
  double e2e = 0;           // until the end
  std::vector<double> itl;  // between pieces with text
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  bool counted_by_server = false;  // by `usage`; else pieces stand for tokens
  std::string error;               // its kind: connect, timeout, broken, http_429, stream, empty; empty: none
  std::string detail;              // what the server said

  bool ok() const { return error.empty(); }
  double tpot() const { return output_tokens > 1 ? (e2e - ttft) / static_cast<double>(output_tokens - 1) : 0; }
};

// Takes server-sent events apart, whatever pieces they come in.
class EventParser {
 public:
  void feed(std::string_view bytes, const std::function<void(std::string_view data)>& on_event);

 private:
  std::string rest_, data_;
};

boost::asio::awaitable<Sample> ask(const Server& server, std::string path, std::string body,
                                   std::chrono::nanoseconds limit);

// The body of a 200. Errors name the address and what came instead.
Result<std::string> get(const Server& server, const std::string& path, std::chrono::nanoseconds limit);

}  // namespace mlc::tools::bench_serve
