#include "serve/routes.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "protocol/text_api.h"
#include "serve/web_assets.h"

namespace mlc::serve {
namespace {

using protocol::ApiError;

enum class Action {
  kHealth,
  kLive,
  kReady,
  kVersion,
  kMetrics,
  kModels,
  kModel,
  kChat,
  kCompletion,
  kResponses,
  kMessages,
  kEmbeddings,
  kCountTokens,
  kTokenize,
  kDetokenize,
  kApplyTemplate,
  kEngineMetrics,
  kEventTrace,
  kResetEngine,
  kResetMetrics,
  kWeb,
  kDocs,
  kOpenApi,
};

using protocol::Endpoint;

struct Route {
  const char* path;  // ending in '/': everything below it
  const char* method;
  Action action;
  bool open = false;  // needs no key
};

constexpr Route kRoutes[] = {
    {"/health", "GET", Action::kHealth, true},
    {"/health/live", "GET", Action::kLive, true},
    {"/health/ready", "GET", Action::kReady, true},
    {"/v2/health/live", "GET", Action::kLive, true},
    {"/v2/health/ready", "GET", Action::kReady, true},
    {"/version", "GET", Action::kVersion},
    {"/metrics", "GET", Action::kMetrics},
    {"/v1/models", "GET", Action::kModels},
    {"/v1/models/", "GET", Action::kModel},
    {"/v1/chat/completions", "POST", Action::kChat},
    {"/v1/completions", "POST", Action::kCompletion},
    {"/v1/responses", "POST", Action::kResponses},
    {"/v1/embeddings", "POST", Action::kEmbeddings},
    {"/v1/messages", "POST", Action::kMessages},
    {"/v1/messages/count_tokens", "POST", Action::kCountTokens},
    {"/tokenize", "POST", Action::kTokenize},
    {"/detokenize", "POST", Action::kDetokenize},
    {"/apply-template", "POST", Action::kApplyTemplate},
    {"/docs", "GET", Action::kDocs, true},
    {"/openapi.json", "GET", Action::kOpenApi, true},
    {"/ui/", "GET", Action::kWeb, true},
    {"/", "GET", Action::kWeb, true},
};
// With --enable-debug.
constexpr Route kDebugRoutes[] = {
    {"/debug/dump_engine_metrics", "POST", Action::kEngineMetrics},
    {"/debug/dump_event_trace", "POST", Action::kEventTrace},
    {"/debug/reset_engine", "POST", Action::kResetEngine},
    {"/debug/reset_engine_metrics", "POST", Action::kResetMetrics},
};

bool matches(const Route& route, const std::string& path) {
  const std::string_view own = route.path;
  if (path == own) return true;
  return own.size() > 1 && own.ends_with('/') && path.size() > own.size() && path.starts_with(own);
}

const Route* find_route(const std::string& path, bool debug) {
  for (const Route& route : kRoutes) {
    if (matches(route, path)) return &route;
  }
  for (const Route& route : kDebugRoutes) {
    if (debug && matches(route, path)) return &route;
  }
  return nullptr;
}

std::optional<Endpoint> endpoint_of(const Route& route) {
  switch (route.action) {
    case Action::kChat:
      return Endpoint::kChat;
    case Action::kCompletion:
      return Endpoint::kCompletion;
    case Action::kResponses:
      return Endpoint::kResponses;
    case Action::kMessages:
      return Endpoint::kMessages;
    case Action::kEmbeddings:
      return Endpoint::kEmbeddings;
    default:
      return std::nullopt;
  }
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

namespace {

// Anthropic's clients read another error body.
HttpReply error_reply_for(const std::string& path, const ApiError& error) {
  HttpReply reply = error_reply(error);
  if (path.starts_with("/v1/messages")) reply.body = protocol::dump(protocol::error_json(Endpoint::kMessages, error));
  return reply;
}

// MLC LLM's debug endpoints take {"model": …}; with one model it may be left out.
protocol::ApiResult<std::shared_ptr<const protocol::ServedModel>> named_model(const protocol::ModelList& models,
                                                                              const std::string& body) {
  MLC_TRY(const Json json, protocol::parse_body(body));
  protocol::Fields fields(json);
  const std::string name = fields.string("model").value_or("");
  if (fields.failed()) return fields.error();
  return models.find(name);
}

protocol::ApiResult<OrderedJson> event_trace(const protocol::ServedModel& model) {
  if (const auto trace = model.engine->trace()) return trace->chrome_json();
  return ApiError{400,
                  fmt::format("The events of {} are not recorded: start the server with --enable-tracing.", model.id),
                  "invalid_request_error", "", "tracing_disabled"};
}

HttpReply unavailable(const std::string& message) {
  HttpReply reply = json_reply({{"error", {{"code", 503}, {"message", message}, {"type", "unavailable_error"}}}});
  reply.status = 503;
  return reply;
}

}  // namespace

std::optional<HttpReply> Routes::check_key(const HttpRequest& request) const {
  if (!context_.keys->needed()) return std::nullopt;
  const Route* route = find_route(request.path, context_.options.debug_endpoints);
  if (route && route->open) return std::nullopt;
  if (context_.keys->allow(request.authorization, request.x_api_key)) return std::nullopt;
  const bool none = request.authorization.empty() && request.x_api_key.empty();
  const char* message = none ? "This server needs a key: send \"Authorization: Bearer KEY\"."
                             : "The key that came with the request is not one of this server's.";
  HttpReply reply = error_reply_for(request.path, {401, message, "invalid_request_error", "", "invalid_api_key"});
  reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

std::optional<HttpReply> Routes::check(const HttpRequest& request) const {
  const bool preflight_asked = request.method == "OPTIONS" && !context_.options.cors.origins.empty();
  if (preflight_asked) return preflight(request);  // browsers send no key with it
  if (auto refused = check_key(request)) return refused;
  const Route* route = find_route(request.path, context_.options.debug_endpoints);
  const bool page = route && route->action == Action::kWeb;
  const bool missing = page && (!context_.options.ui || !find_web_asset(request.path));
  if (!route || missing) return error_reply(not_found(request.path));
  const bool head = request.method == "HEAD" && std::string_view(route->method) == "GET";
  if (request.method != route->method && !head) return wrong_method(request.method, *route);
  if (request.method == "POST") return check_content_type(request);
  return std::nullopt;
}

std::optional<HttpReply> Routes::admit(const HttpRequest& request, int in_flight) const {
  const auto refuse = [&](const char* reason, ApiError e, int64_t retry_s) {
    context_.metrics.request_rejected(reason);
    HttpReply reply = error_reply_for(request.path, e);
    std::erase_if(reply.headers, [](const auto& h) { return h.first == "Retry-After"; });
    reply.headers.emplace_back("Retry-After", std::to_string(retry_s));
    return reply;
  };
  if (context_.refusing) return refuse("draining", protocol::overloaded("The server is shutting down."), 1);
  if (context_.state == ServerState::kLoading) {
    return refuse("loading", {503, "The model is still being loaded.", "unavailable_error", "", "loading"}, 5);
  }
  if (in_flight <= context_.options.max_requests) return std::nullopt;
  // About when a place is free: as often as one of the requests in flight ends.
  const double between = context_.request_seconds / std::max(1, context_.options.max_requests);
  const auto retry = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(between)), 1, 60);
  const std::string message = fmt::format(
      "The server is busy with {} requests, which is as many as it takes; try again "
      "in {} s.",
      context_.options.max_requests, retry);
  return refuse("queue_full", {429, message, "rate_limit_error", "", "queue_full"}, retry);
}

std::string Routes::label(const std::string& path) {
  const Route* route = find_route(path, true);
  return route ? route->path : "other";
}

std::vector<std::string> Routes::paths() {
  std::vector<std::string> out;
  for (const Route& route : kRoutes) {
    if (route.action != Action::kWeb) out.emplace_back(route.path);
  }
  return out;
}

bool Routes::generates(const std::string& path) {
  const Route* route = find_route(path, false);
  return route && endpoint_of(*route);
}

RouteAnswer Routes::handle(const HttpRequest& request, protocol::Generation::Notify notify) const {
  const Route* route = find_route(request.path, context_.options.debug_endpoints);
  MLC_CHECK(route, "check() lets only known paths through, not {}", request.path);
  const auto models = context_.models();
  const auto replied = [&](const protocol::ApiResult<OrderedJson>& result) -> RouteAnswer {
    return {result ? json_reply(*result) : error_reply_for(request.path, result.error()), nullptr};
  };
  switch (route->action) {
    case Action::kHealth:
      return {health(), nullptr};
    case Action::kLive:
      return {live(), nullptr};
    case Action::kReady:
      return {ready(), nullptr};
    case Action::kVersion:
      return {json_reply({{"version", context_.options.version}}), nullptr};
    case Action::kMetrics:
      return {metrics(), nullptr};
    case Action::kModels:
      return {json_reply(models->list_json()), nullptr};
    case Action::kModel:
      return {model(request.path.substr(std::string_view(route->path).size())), nullptr};
    case Action::kDocs:
      return {web_reply(*find_web_asset("/ui/docs"), request), nullptr};
    case Action::kOpenApi:
      return {web_reply(*find_web_asset("/ui/openapi.json"), request), nullptr};
    case Action::kWeb:
      return {web_reply(*find_web_asset(request.path), request), nullptr};
    case Action::kTokenize:
      return replied(protocol::tokenize(*models, request.body));
    case Action::kDetokenize:
      return replied(protocol::detokenize(*models, request.body));
    case Action::kApplyTemplate:
      return replied(protocol::apply_template(*models, request.body));
    case Action::kCountTokens:
      return replied(protocol::count_tokens(*models, request.body));
    case Action::kEngineMetrics:
      return {engine_metrics(), nullptr};
    case Action::kEventTrace:
    case Action::kResetEngine: {
      const auto model = named_model(*models, request.body);
      if (!model) return {error_reply(model.error()), nullptr};
      if (route->action == Action::kEventTrace) return replied(event_trace(**model));
      (*model)->engine->reset();
      return {json_reply(OrderedJson::object()), nullptr};
    }
    case Action::kResetMetrics:
      for (const auto& m : models->all()) m->engine->reset_stats();
      return {json_reply(OrderedJson::object()), nullptr};
    case Action::kChat:
    case Action::kCompletion:
    case Action::kResponses:
    case Action::kMessages:
    case Action::kEmbeddings: {
      auto started = protocol::start_request(*models, *endpoint_of(*route), request.body, std::move(notify));
      if (!started) {
        context_.metrics.request_failed(started.error().status >= 500 ? "error" : "invalid");
        return {error_reply_for(request.path, started.error()), nullptr};
      }
      return {{}, std::move(*started)};
    }
  }
  MLC_UNREACHABLE("action {}", static_cast<int>(route->action));
}

HttpReply Routes::health() const {
  if (context_.state == ServerState::kLoading) return unavailable("Loading model");
  if (context_.state == ServerState::kDraining) return unavailable("Shutting down");
  OrderedJson models = OrderedJson::object();
  for (const auto& m : context_.models()->all()) {
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

// 503 when an engine has had work but made no step for too long: a supervisor then starts the server anew.
HttpReply Routes::live() const {
  for (const auto& m : context_.models()->all()) {
    const auto stalled = stalls_.stalled(m->id, m->engine->stats());
    if (stalled < context_.options.stall_limit) continue;
    const auto s = std::chrono::duration_cast<std::chrono::seconds>(stalled).count();
    return unavailable(fmt::format("The engine of {} has made no step for {} s", m->id, s));
  }
  return json_reply({{"status", "live"}});
}

HttpReply Routes::ready() const {
  const ServerState state = context_.state;
  HttpReply reply = json_reply({{"status", name_of(state)}});
  if (state != ServerState::kReady) reply.status = 503;
  return reply;
}

HttpReply Routes::metrics() const {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = context_.metrics.text(*context_.models(), context_.state);
  return reply;
}

HttpReply Routes::engine_metrics() const {
  OrderedJson out = OrderedJson::object();
  for (const auto& m : context_.models()->all()) {
    const engine::EngineStats s = m->engine->stats();
    const auto rate = [](int64_t tokens, double seconds) {
      return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
    };
    out[m->id] = {{"engine_prefill_time_sum", s.prefill_s},
                  {"engine_decode_time_sum", s.decode_s},
                  {"prefill_tokens_sum", s.prefill_tokens},
                  {"decode_tokens_sum", s.decode_tokens},
                  {"cached_prompt_tokens_sum", s.cached_prompt_tokens},
                  {"prefill_tokens_per_s", rate(s.prefill_tokens, s.prefill_s)},
                  {"decode_tokens_per_s", rate(s.decode_tokens, s.decode_s)},
                  {"steps", s.steps},
                  {"preemptions", s.preemptions}};
  }
  return json_reply(out);
}

HttpReply Routes::model(const std::string& name) const {
  const auto found = context_.models()->find(name, /*exact=*/true);
  if (!found) return error_reply(found.error());
  return json_reply(protocol::ModelList::model_json(**found));
}

// Wildcards are spelled out: "*" covers neither requests with credentials nor the Authorization header.
HttpReply Routes::preflight(const HttpRequest& request) const {
  const CorsOptions& cors = context_.options.cors;
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
  const auto& origins = context_.options.cors.origins;
  if (request.origin.empty() || origins.empty()) return headers;
  const bool any = has_wildcard(origins);
  if (!any && std::find(origins.begin(), origins.end(), request.origin) == origins.end()) return headers;
  // With credentials, browsers refuse "*".
  headers.emplace_back("Access-Control-Allow-Origin",
                       any && !context_.options.cors.credentials ? std::string("*") : request.origin);
  headers.emplace_back("Vary", "Origin");
  if (context_.options.cors.credentials) headers.emplace_back("Access-Control-Allow-Credentials", "true");
  return headers;
}

}  // namespace mlc::serve
