// mlc_llm serve
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/build_id.h"
#include "base/event_log.h"
#include "base/knobs.h"
#include "base/log.h"
#include "engine/cpu_runner.h"
#include "loader/hub_model.h"
#include "serve/http_server.h"
#include "serve/observed_engine.h"
#include "tools/command.h"
#include "tools/load_flags.h"
#include "tools/overrides.h"

namespace mlc::tools {
namespace {

struct Options {
  loader::LoadOptions load;
  serve::ServerOptions server;
  std::vector<std::string> more_models;
  std::string embedding_model, embedding_model_lib;
  std::string overrides, prefix_cache_mode = "radix", prefill_mode = "hybrid";
  std::string log_format = "text", metrics_compat;
  std::string origins = "[]", methods = "[\"*\"]", headers = "[\"*\"]";
};

void add_milliseconds(CLI::App& app, const char* flag, std::chrono::milliseconds* value, const char* help) {
  app.add_option_function<double>(
         flag, [value](double s) { *value = std::chrono::milliseconds(static_cast<int64_t>(s * 1e3)); }, help)
      ->check(CLI::Range(0.0, 86400.0))
      ->default_str(fmt::format("{}", static_cast<double>(value->count()) / 1e3));
}

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

bool is_model_dir(const std::filesystem::path& dir) {
  return std::filesystem::exists(dir / "config.json") || std::filesystem::exists(dir / "mlc-chat-config.json");
}

// The argument, or the models in it when it is a directory of model directories; then those of --model.
std::vector<std::string> model_paths(const Options& o) {
  namespace fs = std::filesystem;
  std::vector<std::string> paths;
  std::error_code ignored;
  const std::string& first = o.load.model.model;
  if (!first.empty() && fs::is_directory(first, ignored) && !is_model_dir(first)) {
    for (const auto& entry : fs::directory_iterator(first, ignored)) {
      if (entry.is_directory(ignored) && is_model_dir(entry.path())) paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
  }
  if (paths.empty() && !first.empty()) paths.push_back(first);
  paths.insert(paths.end(), o.more_models.begin(), o.more_models.end());
  return paths;
}

// The flags of each model: those of `paths` answer with text, then comes the embedding model, if there is one.
std::vector<loader::LoadOptions> flags_per_model(const Options& o, const std::vector<std::string>& paths) {
  std::vector<loader::LoadOptions> all;
  for (const std::string& path : paths) {
    all.push_back(o.load);
    all.back().model.model = path;
  }
  if (!o.embedding_model.empty()) {
    loader::LoadOptions& flags = all.emplace_back();
    flags.model = o.load.model;
    flags.model.model = o.embedding_model;
    flags.model.model_lib = o.embedding_model_lib;
    flags.model.quantization.clear();  // its own
    flags.mlock = o.load.mlock;
    flags.memory_share = o.load.memory_share;
  }
  // Memory is taken when a cache fills up, so each model would count on all of it.
  for (loader::LoadOptions& flags : all) {
    const double share = flags.memory_share > 0 ? flags.memory_share : engine::kDefaultMemoryShare;
    flags.memory_share = share / static_cast<double>(all.size());
  }
  return all;
}

Result<void> load_and_set(const Options& o, const std::vector<std::string>& paths, serve::HttpServer& server) {
  protocol::ModelList models;
  std::string names;
  const std::vector<loader::LoadOptions> all = flags_per_model(o, paths);
  for (const loader::LoadOptions& flags : all) {
    const auto begin = std::chrono::steady_clock::now();
    MLC_TRY(protocol::ServedModel model, loader::load_model(flags));
    model.embeds_only = &flags == &all.back() && !o.embedding_model.empty();
    const std::string id = model.id;
    if (models.find(id, /*exact=*/true))
      return error("two models are called {}; their directories need different names", id);
    model.engine = serve::observe(std::move(model.engine), server.metrics().model(id));
    models.add(std::make_shared<const protocol::ServedModel>(std::move(model)));
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    server.metrics().model_loaded(id, took);
    names += (names.empty() ? "" : ", ") + id;
  }
  MLC_TRY_VOID(server.set_models(std::move(models)));
  const char* scheme = o.server.tls_certificate.empty() ? "http" : "https";
  fmt::print(stderr, "serving {} on {}://{}:{}\n", names, scheme, o.server.host, server.port());
  return {};
}

const std::vector<std::string> kOverrides = {"max_num_sequence",       "max_total_seq_length",
                                             "prefill_chunk_size",     "context_window_size",
                                             "gpu_memory_utilization", "spec_draft_length",
                                             "prefix_cache_mode",      "prefix_cache_max_num_recycling_seqs",
                                             "prefill_mode",           "opt"};

Result<void> one_of(const char* name, const std::string& value, std::vector<std::string> known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return {};
  return error("{} is \"{}\", expected {}", name, value, fmt::join(known, " or "));
}

Result<void> apply_overrides(Options* o) {
  MLC_TRY(const Overrides given, Overrides::parse(o->overrides, kOverrides));
  loader::LoadOptions& l = o->load;
  MLC_TRY_VOID(given.read("max_num_sequence", 1, &l.max_num_sequence));
  MLC_TRY_VOID(given.read("max_total_seq_length", 1, &l.max_total_tokens));
  MLC_TRY_VOID(given.read("prefill_chunk_size", 1, &l.model.prefill_chunk_size));
  MLC_TRY_VOID(given.read("context_window_size", 1, &l.model.context_window_size));
  MLC_TRY_VOID(given.read("gpu_memory_utilization", 0.01, 1.0, &l.memory_share));
  MLC_TRY_VOID(given.read("spec_draft_length", 0, &l.spec_draft_length));
  MLC_TRY_VOID(given.read("prefix_cache_max_num_recycling_seqs", -1, &l.max_recycled));
  given.read("prefix_cache_mode", &o->prefix_cache_mode);
  given.read("prefill_mode", &o->prefill_mode);
  given.read("opt", &l.model.opt);
  MLC_TRY_VOID(one_of("prefix_cache_mode", o->prefix_cache_mode, {"radix", "disable"}));
  MLC_TRY_VOID(one_of("prefill_mode", o->prefill_mode, {"hybrid", "chunked"}));
  l.prefix_cache = o->prefix_cache_mode == "radix";
  l.mix_prefill = o->prefill_mode == "hybrid";
  return {};
}

Result<int> run_server(Options o) {
  MLC_TRY_VOID(apply_overrides(&o));
  MLC_TRY(o.server.cors.origins, string_list("--allow-origins", o.origins));
  MLC_TRY(o.server.cors.methods, string_list("--allow-methods", o.methods));
  MLC_TRY(o.server.cors.headers, string_list("--allow-headers", o.headers));
  if (o.load.model.model.empty() && o.more_models.empty()) o.load.model.model = knob("MLC_MODEL_PATH");
  const std::vector<std::string> paths = model_paths(o);
  if (paths.empty()) return error("no model is given: mlc_llm serve MODEL, --model MODEL, or $MLC_MODEL_PATH");
  if (paths.size() > 1 && !(o.load.served_model_name.empty() && o.load.model.model_lib.empty())) {
    return error("--served-model-name and --model-lib are for one model; {} are given", paths.size());
  }
  if (o.embedding_model.empty() && !o.embedding_model_lib.empty()) {
    return error("--embedding-model-lib {} belongs to a model: --embedding-model is not given", o.embedding_model_lib);
  }
  if (o.server.tls_certificate.empty() != o.server.tls_key.empty()) {
    return error("--ssl-cert and --ssl-key belong together; only one is given");
  }
  o.server.vllm_metric_names = o.metrics_compat == "vllm";
  o.server.version = version();
  o.server.handle_signals = true;
  log::init(log::Level::kInfo);
  log::set_format(o.log_format == "json" ? log::Format::kJson : log::Format::kText);
  MLC_TRY(auto server, serve::HttpServer::create(o.server));  // a port in use shows before the model is loaded
  MLC_TRY_VOID(server->listen());
  // Clients that come while the model is loaded are told so.
  Result<void> served;
  std::thread http([&] { served = server->run(); });
  Result<void> ready = load_and_set(o, paths, *server);
  if (!ready) server->stop();
  http.join();
  if (!ready) return ready.error();
  MLC_TRY_VOID(served);
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_serve(CLI::App& app) {
  auto o = std::make_shared<Options>();
  add_load_flags(app, o->load)
      ->required(false)
      ->description(
          fmt::format("{}; or a directory of model directories. Default: $MLC_MODEL_PATH", loader::kModelHelp));
  app.add_option("--model", o->more_models, "One more model, chosen by its name in requests; may be repeated");
  app.add_option("--embedding-model", o->embedding_model,
                 "A model for /v1/embeddings alone; without it, the served models give embeddings");
  app.add_option("--embedding-model-lib", o->embedding_model_lib,
                 "Its compiled library; default: compiled as needed and cached");
  add_answer_flags(app, o->load);
  app.add_option("--served-model-name", o->load.served_model_name, "The model's id in the API; default: its directory");
  app.add_option("--mode", o->load.mode, "local (8 sequences at once), interactive (1) or server (up to 64)")
      ->capture_default_str();
  app.add_option("--overrides", o->overrides, "k=v;k=v with " + fmt::format("{}", fmt::join(kOverrides, ", ")));
  app.add_option("--prefix-cache-mode", o->prefix_cache_mode, "radix: reuse the prefixes of earlier prompts; disable")
      ->check(CLI::IsMember({"radix", "disable"}))
      ->capture_default_str();
  app.add_option("--prefill-mode", o->prefill_mode,
                 "hybrid: prompts and running answers share steps; chunked: they take turns")
      ->check(CLI::IsMember({"hybrid", "chunked"}))
      ->capture_default_str();
  app.add_option("--host", o->server.host, "Address to listen on")->capture_default_str();
  app.add_option("--port", o->server.port, "Port; 0: any free one")->check(CLI::Range(0, 65535))->capture_default_str();
  app.add_flag("!--no-ui", o->server.ui, "Serve no web page at / (chat) and /ui/metrics (live view)");
  app.add_option("--api-key", o->server.api_keys,
                 "Ask for this key (\"Authorization: Bearer KEY\" or \"x-api-key: KEY\"); may be repeated");
  app.add_option("--api-key-file", o->server.api_key_file, "File with one key per line; read again on SIGHUP");
  app.add_option("--ssl-cert", o->server.tls_certificate, "Certificate chain (PEM): serve HTTPS");
  app.add_option("--ssl-key", o->server.tls_key, "The certificate's key (PEM)");
  app.add_option("--max-concurrent", o->server.max_requests,
                 "Requests in flight, running or waiting; more are answered 429")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_milliseconds(app, "--drain-delay", &o->server.drain_delay,
                   "Seconds after SIGTERM in which the server is not ready but still answers");
  add_milliseconds(app, "--shutdown-timeout", &o->server.drain_timeout, "Seconds for answers in flight to finish");
  add_milliseconds(app, "--sse-ping-interval", &o->server.keep_alive_comment,
                   "Seconds without tokens after which a stream sends a comment");
  app.add_option("--log-format", o->log_format, "text, or json: one object per line")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--metrics-compat", o->metrics_compat, "vllm: /metrics also has vLLM's names")
      ->check(CLI::IsMember({"vllm"}));
  app.add_flag("--enable-debug", o->server.debug_endpoints, "Serve /debug/…");
  app.add_flag("--enable-tracing", o->load.enable_tracing,
               "Record what happens to each request, for /debug/dump_event_trace");
  app.add_option("--allow-origins", o->origins, "JSON list of origins for cross-origin requests")
      ->capture_default_str();
  app.add_option("--allow-methods", o->methods, "JSON list")->capture_default_str();
  app.add_option("--allow-headers", o->headers, "JSON list")->capture_default_str();
  app.add_flag("--allow-credentials", o->server.cors.credentials, "Allow cookies in cross-origin requests");
  return [o]() { return run_server(*o); };
}

}  // namespace mlc::tools
