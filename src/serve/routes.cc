#include "serve/routes.h"

#include <algorithm>
#include <cctype>

namespace mlc::serve {
namespace {

using protocol::ApiError;

enum class Action { kHealth, kVersion, kModels, kModel, kChat, kCompletion };

struct Route {
  const char* path;  // ending in '/': everything below it
  const char* method;
  Action action;
};

constexpr Route kRoutes[] = {
    {"/health", "GET", Action::kHealth},
    {"/version", "GET", Action::kVersion},
    {"/v1/models", "GET", Action::kModels},
    {"/v1/models/", "GET", Action::kModel},
    {"/v1/chat/completions", "POST", Action::kChat},
    {"/v1/completions", "POST", Action::kCompletion},
};

const Route* find_route(const std::string& path) {
  for (const Route& route : kRoutes) {
    const std::string_view own = route.path;
    const bool below = own.ends_with('/') && path.size() > own.size() && path.starts_with(own);
    if (path == own || below) return &route;
  }
  return nullptr;
}

// Takes as long for a key that is wrong in the first byte as for one that is wrong in the last.
bool equal_in_constant_time(std::string_view given, std::string_view expected) {
  size_t different = given.size() ^ expected.size();
  for (size_t i = 0; i < given.size(); ++i) {
    different |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(expected[i % expected.size()]);
  }
  return different == 0;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

bool has_wildcard(const std::vector<std::string>& list) {
  return std::find(list.begin(), list.end(), "*") != list.end();
}

HttpReply json_reply(const OrderedJson& json) {
  HttpReply reply;
  reply.body = protocol::dump(json);
  return reply;
}

ApiError not_found(const std::string& path) {
  return {404, fmt::format("There is nothing at \"{}\".", path), "invalid_request_error", "", "not_found"};
}

HttpReply wrong_method(const std::string& method, const Route& route) {
  HttpReply reply = error_reply({405, fmt::format("\"{}\" takes {}, not {}.", route.path, route.method, method),
                                 "invalid_request_error", "", "method_not_allowed"});
  reply.headers.emplace_back("Allow", route.method);
  return reply;
}

// Requiring JSON also keeps web pages of other origins from posting here without a preflight.
std::optional<HttpReply> check_content_type(const HttpRequest& request) {
  const std::string type = lower(request.content_type.substr(0, request.content_type.find(';')));
  const std::string trimmed = type.substr(0, type.find_last_not_of(" \t") + 1);
  if (trimmed == "application/json" || trimmed.ends_with("+json")) return std::nullopt;
  const std::string found = trimmed.empty() ? "missing" : fmt::format("\"{}\"", trimmed);
  return error_reply({415, fmt::format("The Content-Type is {}; expected application/json.", found),
                      "invalid_request_error", "", "unsupported_media_type"});
}

}  // namespace

HttpReply error_reply(const ApiError& error) {
  HttpReply reply = json_reply(error.json());
  reply.status = error.status;
  if (error.status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

std::optional<HttpReply> Routes::check_key(const HttpRequest& request) const {
  if (options_.api_key.empty() || !request.path.starts_with("/v1/")) return std::nullopt;
  const std::string& given = request.authorization;
  constexpr size_t kScheme = 7;
  const bool bearer = lower(given.substr(0, kScheme)) == "bearer ";
  if (bearer && equal_in_constant_time(std::string_view(given).substr(kScheme), options_.api_key)) return std::nullopt;
  const char* message = given.empty() ? "This server needs a key: send \"Authorization: Bearer KEY\"."
                                      : "The key in the Authorization header is not this server's.";
  HttpReply reply = error_reply({401, message, "invalid_request_error", "", "invalid_api_key"});
  reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

std::optional<HttpReply> Routes::check(const HttpRequest& request) const {
  const bool preflight_asked = request.method == "OPTIONS" && !options_.cors.origins.empty();
  if (preflight_asked) return preflight(request);  // browsers send no key with it
  if (auto refused = check_key(request)) return refused;
  const Route* route = find_route(request.path);
  if (!route) return error_reply(not_found(request.path));
  const bool head = request.method == "HEAD" && std::string_view(route->method) == "GET";
  if (request.method != route->method && !head) return wrong_method(request.method, *route);
  if (request.method == "POST") return check_content_type(request);
  return std::nullopt;
}

RouteAnswer Routes::handle(const HttpRequest& request, protocol::Generation::Notify notify) const {
  const Route* route = find_route(request.path);
  MLC_CHECK(route, "check() lets only known paths through, not {}", request.path);
  switch (route->action) {
    case Action::kHealth:
      return {health(), nullptr};
    case Action::kVersion:
      return {json_reply({{"version", options_.version}}), nullptr};
    case Action::kModels:
      return {json_reply(models_.list_json()), nullptr};
    case Action::kModel:
      return {model(request.path.substr(std::string_view(route->path).size())), nullptr};
    case Action::kChat:
    case Action::kCompletion: {
      const auto endpoint =
          route->action == Action::kChat ? protocol::Endpoint::kChat : protocol::Endpoint::kCompletion;
      auto started = protocol::start_request(models_, endpoint, request.body, std::move(notify));
      if (!started) return {error_reply(started.error()), nullptr};
      return {{}, std::move(*started)};
    }
  }
  MLC_UNREACHABLE("action {}", static_cast<int>(route->action));
}

HttpReply Routes::health() const {
  OrderedJson models = OrderedJson::object();
  for (const auto& m : models_.all()) {
    const engine::EngineStats s = m->engine->stats();
    models[m->id] = {{"running", s.running},
                     {"waiting", s.waiting},
                     {"finished", s.finished_requests},
                     {"cancelled", s.cancelled_requests},
                     {"kv_pages_free", s.kv_pages_free},
                     {"kv_pages_total", s.kv_pages_total}};
  }
  return json_reply({{"status", "ok"}, {"models", std::move(models)}});
}

HttpReply Routes::model(const std::string& name) const {
  const auto found = models_.find(name, /*exact=*/true);
  if (!found) return error_reply(found.error());
  return json_reply(protocol::ModelList::model_json(**found));
}

// Wildcards are spelled out: "*" covers neither requests with credentials nor the Authorization header.
HttpReply Routes::preflight(const HttpRequest& request) const {
  const CorsOptions& cors = options_.cors;
  const bool any_header = has_wildcard(cors.headers) && !request.cors_headers.empty();
  HttpReply reply;
  reply.status = 204;
  reply.content_type.clear();
  reply.headers = {
      {"Access-Control-Allow-Methods", has_wildcard(cors.methods) ? "GET, POST, OPTIONS" : join(cors.methods)},
      {"Access-Control-Allow-Headers", any_header ? request.cors_headers : join(cors.headers)},
      {"Access-Control-Max-Age", "600"}};
  return reply;
}

std::vector<std::pair<std::string, std::string>> Routes::common_headers(const HttpRequest& request) const {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!request.request_id.empty()) headers.emplace_back("X-Request-Id", request.request_id);
  const auto& origins = options_.cors.origins;
  if (request.origin.empty() || origins.empty()) return headers;
  const bool any = has_wildcard(origins);
  if (!any && std::find(origins.begin(), origins.end(), request.origin) == origins.end()) return headers;
  // With credentials, browsers refuse "*".
  headers.emplace_back("Access-Control-Allow-Origin",
                       any && !options_.cors.credentials ? std::string("*") : request.origin);
  headers.emplace_back("Vary", "Origin");
  if (options_.cors.credentials) headers.emplace_back("Access-Control-Allow-Credentials", "true");
  return headers;
}

}  // namespace mlc::serve
