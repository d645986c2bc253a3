// The table of endpoints: which request gets which answer. No sockets.
//
//   Routes routes(context);
//   if (auto refused = routes.check(request)) send(*refused);        // before the body is read
//   RouteAnswer a = routes.handle(request, notify);
//   a.answer ? run(*a.answer) : send(a.reply);
#pragma once

#include <memory>
#include <optional>

#include "protocol/api.h"
#include "serve/context.h"
#include "serve/http_message.h"
#include "serve/stall_watch.h"

namespace mlc::serve {

struct RouteAnswer {
  HttpReply reply;
  std::unique_ptr<protocol::Answer> answer;  // set: it is still being made, `reply` means nothing
};

HttpReply error_reply(const protocol::ApiError& error);

class Routes {
 public:
  explicit Routes(const ServerContext& context) : context_(context) {}

  // What can be refused by looking at the header: unknown paths, methods, keys, content types.
  std::optional<HttpReply> check(const HttpRequest& request) const;
  // Whether a request that generates may begin now: loading, draining and full servers refuse.
  std::optional<HttpReply> admit(const HttpRequest& request, int in_flight) const;
  RouteAnswer handle(const HttpRequest& request, protocol::Generation::Notify notify) const;
  // Headers that go with every answer to this request.
  std::vector<std::pair<std::string, std::string>> common_headers(const HttpRequest& request) const;

  // The table's path for a request's, or "other": a label for metrics, of which there are few.
  static std::string label(const std::string& path);
  // What the API consists of, without the page and /debug: /openapi.json describes exactly these.
  static std::vector<std::string> paths();
  static bool generates(const std::string& path);

 private:
  std::optional<HttpReply> check_key(const HttpRequest& request) const;
  HttpReply health() const;
  HttpReply live() const;
  HttpReply ready() const;
  HttpReply model(const std::string& name) const;
  HttpReply metrics() const;
  HttpReply engine_metrics() const;
  HttpReply preflight(const HttpRequest& request) const;

  const ServerContext& context_;
  mutable StallWatch stalls_;
};

}  // namespace mlc::serve
