// The table of endpoints: which request gets which answer. No sockets.
//
//   Routes routes(options, models);
//   if (auto refused = routes.check(request)) send(*refused);        // before the body is read
//   RouteAnswer a = routes.handle(request, notify);
//   a.generation ? run(*a.generation) : send(a.reply);
#pragma once

#include <memory>
#include <optional>

#include "protocol/api.h"
#include "serve/http_message.h"
#include "serve/options.h"

namespace mlc::serve {

struct RouteAnswer {
  HttpReply reply;
  std::unique_ptr<protocol::Generation> generation;  // set: the answer is still being made, `reply` means nothing
};

HttpReply error_reply(const protocol::ApiError& error);

class Routes {
 public:
  Routes(const ServerOptions& options, protocol::ModelList models) : options_(options), models_(std::move(models)) {}

  // What can be refused by looking at the header: unknown paths, methods, keys, content types.
  std::optional<HttpReply> check(const HttpRequest& request) const;
  RouteAnswer handle(const HttpRequest& request, protocol::Generation::Notify notify) const;
  // Headers that go with every answer to this request.
  std::vector<std::pair<std::string, std::string>> common_headers(const HttpRequest& request) const;

 private:
  std::optional<HttpReply> check_key(const HttpRequest& request) const;
  HttpReply health() const;
  HttpReply model(const std::string& name) const;
  HttpReply preflight(const HttpRequest& request) const;

  const ServerOptions& options_;
  protocol::ModelList models_;
};

}  // namespace mlc::serve
