// HTTP GET through libcurl: redirects, TLS, proxies ($HTTPS_PROXY, $NO_PROXY), a limit on silence.
//
//   MLC_TRY(HttpClient client, HttpClient::create(settings));
//   MLC_TRY(Answer answer, client.get({.url = url, .token = token}, nullptr));
//   if (answer.status == 200) use(answer.body);
//
// The token goes to the address that is asked for and not to another host, port or scheme that it redirects to; from
// https nothing leads to http. Client: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "hub/settings.h"

namespace mlc::hub {

struct GetRequest {
  std::string url;
  std::string token;  // empty: none
  uint64_t from = 0;  // ask for the bytes from here on
};

struct Answer {
  int status = 0;          // of the last address; 0: the connection failed or broke, see `failure`
  std::string failure;     // what happened to the connection; empty: the answer is whole
  std::string error_code;  // X-Error-Code: why a hub refused
  std::optional<double> retry_after_s;
  uint64_t from = 0;  // where the bytes begin: of Content-Range
  std::string body;   // without a sink; with one, the body of a refusal, cut off at 64 KiB
};

// Takes the bytes of a 200 or 206; `from` is where the answer begins. An error ends the transfer and is get()'s.
using Sink = std::function<Result<void>(uint64_t from, std::span<const std::byte> bytes)>;

class HttpClient {
 public:
  static Result<HttpClient> create(const Settings& settings);
  HttpClient(HttpClient&&) noexcept;
  ~HttpClient();

  // Errors are what trying again does not help: the sink's, a certificate that is not trusted, an address that is none,
  // a body without a sink that does not end (64 MiB).
  Result<Answer> get(const GetRequest& request, const Sink& sink);

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlc::hub
