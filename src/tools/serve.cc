// mlc_llm serve
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "compiler/build_id.h"
#include "serve/http_server.h"
#include "tools/command.h"
#include "tools/load.h"
#include "tools/overrides.h"

namespace mlc::tools {
namespace {

struct Options {
  LoadFlags load;
  serve::ServerOptions server;
  std::string overrides, prefix_cache_mode = "radix";
  std::string origins = "[]", methods = "[\"*\"]", headers = "[\"*\"]";
};

// The CORS flags are JSON lists, as MLC LLM has them.
Result<std::vector<std::string>> string_list(const char* flag, const std::string& text) {
  auto list = nlohmann::json::parse(text, nullptr, false);
  if (!list.is_array()) return error("{} is {}, expected a JSON list such as [\"*\"]", flag, text);
  std::vector<std::string> out;
  for (const auto& item : list) {
    if (!item.is_string()) return error("{} is {}, expected a JSON list of strings", flag, text);
    out.push_back(item);
  }
  return out;
}

Result<int> run_server(Options o) {
  MLC_TRY(auto overrides, parse_overrides(o.overrides, {"max_num_sequence", "max_total_seq_length",
                                                        "prefill_chunk_size", "context_window_size"}));
  auto get = [&](const char* key) { return overrides.count(key) ? overrides[key] : 0; };
  o.load.max_num_sequence = get("max_num_sequence");
  o.load.max_total_tokens = get("max_total_seq_length");
  o.load.model.prefill_chunk_size = get("prefill_chunk_size");
  o.load.model.context_window_size = get("context_window_size");
  o.load.prefix_cache = o.prefix_cache_mode == "radix";
  MLC_TRY(o.server.cors.origins, string_list("--allow-origins", o.origins));
  MLC_TRY(o.server.cors.methods, string_list("--allow-methods", o.methods));
  MLC_TRY(o.server.cors.headers, string_list("--allow-headers", o.headers));
  o.server.version = compiler::version();
  o.server.handle_signals = true;
  MLC_TRY(auto server, serve::HttpServer::create(o.server));  // a port in use shows before the model is loaded
  MLC_TRY(auto model, load_model(o.load));
  protocol::ModelList models;
  models.add(model);
  MLC_TRY_VOID(server->listen(std::move(models)));
  fmt::print(stderr, "serving {} on http://{}:{}\n", model->id, o.server.host, server->port());
  MLC_TRY_VOID(server->run());
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_serve(CLI::App& app) {
  auto o = std::make_shared<Options>();
  add_load_flags(app, o->load);
  app.add_option("--served-model-name", o->load.served_model_name, "The model's id in the API; default: its directory");
  app.add_option("--mode", o->load.mode, "local (8 sequences at once), interactive (1) or server (up to 64)")
      ->capture_default_str();
  app.add_option("--overrides", o->overrides,
                 "k=v;k=v with max_num_sequence, max_total_seq_length, prefill_chunk_size, context_window_size");
  app.add_option("--prefix-cache-mode", o->prefix_cache_mode, "radix: reuse the prefixes of earlier prompts; disable")
      ->check(CLI::IsMember({"radix", "disable"}))
      ->capture_default_str();
  app.add_option("--host", o->server.host, "Address to listen on")->capture_default_str();
  app.add_option("--port", o->server.port, "Port; 0: any free one")->check(CLI::Range(0, 65535))->capture_default_str();
  app.add_option("--api-key", o->server.api_key, "Ask for this bearer token");
  app.add_option("--allow-origins", o->origins, "JSON list of origins for cross-origin requests")
      ->capture_default_str();
  app.add_option("--allow-methods", o->methods, "JSON list")->capture_default_str();
  app.add_option("--allow-headers", o->headers, "JSON list")->capture_default_str();
  app.add_flag("--allow-credentials", o->server.cors.credentials, "Allow cookies in cross-origin requests");
  return [o]() { return run_server(*o); };
}

}  // namespace mlc::tools
