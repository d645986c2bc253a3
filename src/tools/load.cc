#include "tools/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "compiler/build_id.h"
#include "engine/cpu_runner.h"
#include "runtime/module.h"
#include "runtime/param_store.h"
#include "tools/limits.h"
#include "tools/progress.h"
#include "tools/workers.h"
#include "weights/mlc_shards.h"

namespace mlc::tools {
namespace {

Result<std::shared_ptr<const runtime::ParamStore>> load_params(const compiler::Cache& cache, const ModelDir& dir,
                                                               const runtime::Module& module, ThreadPool& pool,
                                                               bool mlock) {
  runtime::ParamOptions options;
  options.source_key = dir.source_key;
  const std::string key = runtime::param_cache_key(module.artifact(), dir.source_key).substr(0, 32);
  options.cache_file = join_path(cache.packed_dir(), key + ".bin");
  options.lock_file = cache.lock_path(key);
  options.lock_memory = mlock;
  // Weights that are packed now are read whole anyway: the moment to compare them with their recorded digests.
  MLC_TRY(auto source, weights::open_mlc_shards(dir.dir, {.verify_md5 = !path_exists(options.cache_file)}));
  std::optional<Progress> progress;
  options.progress = [&](int64_t done, int64_t total) {
    if (!progress) progress.emplace("packing weights");
    progress->update(static_cast<double>(done) / static_cast<double>(total));
  };
  MLC_TRY(auto params, runtime::ParamStore::open(module, *source, pool, options));
  if (progress) progress->done(fmt::format("{:.1f} MB", static_cast<double>(params->total_bytes()) / 1e6));
  if (params->from_cache()) compiler::Cache::touch(options.cache_file);
  return params;
}

// MLC LLM's modes: local 4 sequences, interactive 1, server what the model was configured for.
Result<engine::EngineOptions> engine_options(const LoadFlags& flags, const model::ChatConfig& config) {
  engine::EngineOptions o;
  const int64_t most = std::max<int64_t>(1, config.max_batch_size);
  if (flags.mode == "local") {
    o.max_num_sequence = std::min<int64_t>(8, most);
  } else if (flags.mode == "interactive") {
    o.max_num_sequence = 1;
  } else if (flags.mode == "server") {
    o.max_num_sequence = std::min<int64_t>(64, most);
  } else {
    return error("--mode is \"{}\", expected local, interactive or server", flags.mode);
  }
  if (flags.max_num_sequence > 0) o.max_num_sequence = flags.max_num_sequence;
  o.max_total_tokens = flags.max_total_tokens;
  o.prefix_cache = flags.prefix_cache;
  return o;
}

protocol::GenerationDefaults generation_defaults(const model::SamplingDefaults& s) {
  protocol::GenerationDefaults d;
  d.sampling.temperature = static_cast<float>(s.temperature);
  d.sampling.top_p = static_cast<float>(s.top_p);
  d.sampling.presence_penalty = static_cast<float>(s.presence_penalty);
  d.sampling.frequency_penalty = static_cast<float>(s.frequency_penalty);
  d.sampling.repetition_penalty = static_cast<float>(s.repetition_penalty);
  if (s.top_k) d.sampling.top_k = static_cast<int>(*s.top_k);
  if (s.min_p) d.sampling.min_p = static_cast<float>(*s.min_p);
  return d;
}

// Tokenizer and chat template; both may be absent (token-id prompts only).
Result<void> load_text(const LoadFlags& flags, const ModelDir& dir, protocol::ServedModel& m) {
  auto tokenizer = text::Tokenizer::from_directory(dir.dir);
  if (!tokenizer) {
    if (tokenizer.error().code != ErrorCode::kNotFound) return tokenizer.error();
    log::info("{} has no tokenizer: it takes prompts of token ids only", dir.dir);
    return {};
  }
  m.tokenizer = std::move(tokenizer).value();
  if (!flags.chat_template.empty()) {
    MLC_TRY(m.chat_template, text::ChatTemplate::from_file(flags.chat_template, m.tokenizer->config()));
    return {};
  }
  // What the directory's own mlc-chat-config.json says comes first: its Jinja template, then its conv_template, which
  // older directories give by name only. "LM" is no conversation; then the tokenizer's files may have a template.
  const auto& config = dir.config;
  const bool jinja = !config.chat_template.empty();
  const bool named = config.conv_template.is_object() && config.conv_template.value("name", "LM") != "LM";
  auto chosen = jinja   ? text::ChatTemplate::from_jinja(config.chat_template, m.tokenizer->config())
                : named ? text::ChatTemplate::from_mlc_conv_template(Json(config.conv_template))
                        : text::ChatTemplate::from_directory(dir.dir);
  if (chosen) {
    m.chat_template = std::move(chosen).value();
  } else if (chosen.error().code != ErrorCode::kNotFound) {
    return chosen.error();
  }
  return {};
}

std::string default_name(const std::string& model) {
  std::filesystem::path p(model);
  return p.has_filename() ? p.filename().string() : p.parent_path().filename().string();
}

}  // namespace

CLI::Option* add_load_flags(CLI::App& app, LoadFlags& flags) {
  auto* model = app.add_option("model", flags.model.model, "Hugging Face directory or MLC model directory")->required();
  app.add_option("--model-lib", flags.model.model_lib, "Compiled library; default: compiled as needed and cached");
  app.add_option("--quantization", flags.model.quantization,
                 "How to store a Hugging Face model's weights; default: q4f16_1 above 100 M parameters, full precision "
                 "below");
  add_compile_flags(app, flags.model);
  app.add_option("--chat-template", flags.chat_template, "Jinja or MLC conversation template file");
  app.add_option("--system-prompt", flags.system_prompt, "System message for chats that bring none");
  app.add_flag("--mlock", flags.mlock, "Keep the weights in memory");
  return model;
}

Result<protocol::ServedModel> load_model(const LoadFlags& flags) {
  MLC_TRY(auto cache, compiler::Cache::open());
  MLC_TRY(ModelDir dir, open_model_dir(cache, flags.model));
  // What is cheap to find wrong comes before what takes long.
  MLC_TRY(engine::EngineOptions options, engine_options(flags, dir.config));
  protocol::ServedModel m;
  MLC_TRY_VOID(load_text(flags, dir, m));
  MLC_TRY(std::string lib, find_library(cache, dir, flags.model));
  MLC_TRY(auto module, runtime::Module::load(lib));
  const artifact::ModelFacts& facts = module->artifact().facts;
  if (facts.vocab_size != dir.config.model.vocab_size || facts.quantization != dir.config.quantization) {
    return error("{} was compiled for another model ({}, vocabulary {}); {} is {} with vocabulary {}", lib,
                 facts.quantization, facts.vocab_size, dir.dir, dir.config.quantization, dir.config.model.vocab_size);
  }
  auto pool = make_workers(flags.model.threads);
  auto params = load_params(cache, dir, *module, *pool, flags.mlock);
  if (!params && dir.converted && params.error().code == ErrorCode::kCorrupt) {
    log::info("{}; converting again", params.error().message);
    MLC_TRY(dir, convert_again(cache, dir, flags.model));
    params = load_params(cache, dir, *module, *pool, flags.mlock);
  }
  if (!params) return params.error();
  MLC_TRY(auto target, resolve_device(flags.model));
  MLC_TRY(auto limits, profile_limits(target, *pool));
  MLC_TRY(auto engine, engine::Engine::create(
                           std::make_unique<engine::CpuModelRunner>(module, *params, pool, false, limits), options));
  m.engine = std::move(engine);
  m.id = flags.served_model_name.empty() ? default_name(flags.model.model) : flags.served_model_name;
  m.path = flags.model.model;
  m.defaults = generation_defaults(dir.config.sampling);
  for (int64_t id : dir.config.eos_token_ids) m.stop_token_ids.push_back(static_cast<int32_t>(id));
  m.system_prompt = flags.system_prompt;
  m.fingerprint = "mlc_" + compiler::build_id().substr(0, 10);
  m.created = static_cast<int64_t>(std::time(nullptr));
  return m;
}

}  // namespace mlc::tools
