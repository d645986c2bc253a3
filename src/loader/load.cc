#include "loader/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/build_id.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "engine/cpu_runner.h"
#include "engine/draft_model.h"
#include "loader/hub_model.h"
#include "loader/library.h"
#include "loader/progress.h"
#include "loader/workers.h"
#include "protocol/prompt.h"
#include "runtime/module.h"
#include "runtime/param_store.h"
#include "weights/mlc_shards.h"

namespace mlc::loader {
namespace {

Result<std::shared_ptr<const runtime::ParamStore>> load_params(const artifact::Cache& cache, const ModelDir& dir,
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
  if (params->from_cache()) artifact::Cache::touch(options.cache_file);
  return params;
}

// MLC LLM's modes: local 4 sequences, interactive 1, server what the model was configured for.
Result<engine::EngineOptions> engine_options(const LoadOptions& flags, const model::ChatConfig& config) {
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
  o.max_recycled = flags.max_recycled;
  o.mix_prefill = flags.mix_prefill;
  o.draft_length = flags.spec_draft_length;
  if (flags.enable_tracing) o.trace = std::make_shared<engine::EventTrace>();
  return o;
}

// What of the memory share a draft model's cache gets.
constexpr double kDraftShare = 0.25;

Result<void> check_speculation(const LoadOptions& flags) {
  const std::string& mode = flags.speculative_mode;
  if (mode == "eagle" || mode == "medusa") {
    return error(
        "--speculative-mode {} needs heads trained for the model, which this version cannot run; use "
        "small_draft or ngram",
        mode);
  }
  if (mode != "disable" && mode != "ngram" && mode != "small_draft") {
    return error("--speculative-mode is \"{}\", expected disable, ngram or small_draft", mode);
  }
  const size_t models = flags.additional_models.size();
  if (mode == "small_draft" ? models != 1 : models != 0) {
    return error("--additional-models names {} models; --speculative-mode {} takes {}", models, mode,
                 mode == "small_draft" ? "one, the draft model" : "none");
  }
  return {};
}

struct LoadedRunner {
  ModelDir dir;
  std::unique_ptr<engine::CpuModelRunner> runner;
};

// Compiles and packs as needed.
Result<LoadedRunner> load_runner(const artifact::Cache& cache, const LoadOptions& flags, const ModelOptions& model,
                                 ModelDir dir, const std::shared_ptr<ThreadPool>& pool) {
  MLC_TRY(std::string lib, find_library(cache, dir, model));
  MLC_TRY(auto module, runtime::Module::load(lib));
  const artifact::ModelFacts& facts = module->artifact().facts;
  if (facts.vocab_size != dir.config.model.vocab_size || facts.quantization != dir.config.quantization) {
    return error("{} was compiled for another model ({}, vocabulary {}); {} is {} with vocabulary {}", lib,
                 facts.quantization, facts.vocab_size, dir.dir, dir.config.quantization, dir.config.model.vocab_size);
  }
  auto params = load_params(cache, dir, *module, *pool, flags.mlock);
  if (!params && dir.converted && params.error().code == ErrorCode::kCorrupt) {
    log::info("{}; converting again", params.error().message);
    MLC_TRY(dir, convert_again(cache, dir, model));
    params = load_params(cache, dir, *module, *pool, flags.mlock);
  }
  if (!params) return params.error();
  MLC_TRY(auto limits, library_limits(model, *pool));
  auto runner = std::make_unique<engine::CpuModelRunner>(module, *params, pool, false, limits);
  return LoadedRunner{std::move(dir), std::move(runner)};
}

// Null: no speculation.
Result<std::unique_ptr<engine::DraftSource>> load_drafts(const artifact::Cache& cache, const LoadOptions& flags,
                                                         const engine::RunnerLimits& served,
                                                         const engine::EngineOptions& options, double share,
                                                         const std::shared_ptr<ThreadPool>& pool) {
  if (flags.speculative_mode == "ngram") return engine::make_ngram_draft();
  if (flags.speculative_mode != "small_draft") return std::unique_ptr<engine::DraftSource>();
  ModelOptions model = flags.model;
  const std::string& named = flags.additional_models.front();
  const size_t comma = named.find(',');
  model.model = named.substr(0, comma);
  model.model_lib = comma == std::string::npos ? "" : named.substr(comma + 1);
  model.quantization.clear();  // the draft model's own
  MLC_TRY(ModelDir dir, open_model_dir(cache, model));
  MLC_TRY(LoadedRunner draft, load_runner(cache, flags, model, std::move(dir), pool));
  draft.runner->set_memory_share(share);
  engine::ModelDraftOptions o;
  o.max_sequences = options.max_num_sequence;
  o.context_window = served.context_window;
  o.vocab_size = served.vocab_size;
  auto source = engine::make_model_draft(std::move(draft.runner), o);
  if (!source) return error(source.error().code, "--additional-models {}: {}", model.model, source.error().message);
  return source;
}

// How all prompts with the server's system message begin: what two of them have in common.
std::vector<int32_t> system_prefix(const protocol::ServedModel& m) {
  if (m.system_prompt.empty() || !m.tokenizer || !m.chat_template) return {};
  const auto encode = [&m](const char* user) {
    protocol::ChatRequest request;
    request.messages = OrderedJson::array({{{"role", "user"}, {"content", user}}});
    return protocol::encode_chat(m, request);
  };
  const auto a = encode("a"), b = encode("1");
  if (!a || !b) return {};  // the template will say so to who asks
  const auto end = a->begin() + static_cast<std::ptrdiff_t>(std::min(a->size(), b->size()));
  return {a->begin(), std::mismatch(a->begin(), end, b->begin()).first};
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
Result<void> load_text(const LoadOptions& flags, const ModelDir& dir, protocol::ServedModel& m) {
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

// What answers look like: as the chat template says, unless a flag does.
void choose_answer_format(const LoadOptions& flags, protocol::ServedModel& m) {
  if (!m.tokenizer) return;
  text::OutputFormat format;
  if (m.chat_template) format = m.chat_template->output_format();
  if (flags.tool_call_parser != "auto") format.tools = text::find_tool_format(flags.tool_call_parser);
  if (flags.reasoning_parser != "auto") format.reasoning = text::find_reasoning_format(flags.reasoning_parser);
  m.answers = protocol::make_answer_format(format, *m.tokenizer);
}

std::string default_name(const std::string& model) {
  std::filesystem::path p(model);
  return p.has_filename() ? p.filename().string() : p.parent_path().filename().string();
}

}  // namespace

Result<protocol::ServedModel> load_model(const LoadOptions& flags) {
  MLC_TRY(auto cache, artifact::Cache::open());
  MLC_TRY_VOID(check_speculation(flags));
  MLC_TRY(ModelDir dir, open_model_dir(cache, flags.model));
  // What is cheap to find wrong comes before what takes long.
  MLC_TRY(engine::EngineOptions options, engine_options(flags, dir.config));
  protocol::ServedModel m;
  MLC_TRY_VOID(load_text(flags, dir, m));
  choose_answer_format(flags, m);
  auto pool = make_workers(flags.model.threads);
  MLC_TRY(LoadedRunner served, load_runner(cache, flags, flags.model, std::move(dir), pool));
  const double share = flags.memory_share > 0 ? flags.memory_share : engine::kDefaultMemoryShare;
  const bool shares = flags.speculative_mode == "small_draft";
  served.runner->set_memory_share(shares ? share * (1 - kDraftShare) : share);
  MLC_TRY(auto drafts, load_drafts(cache, flags, served.runner->limits(), options, share * kDraftShare, pool));
  MLC_TRY(auto engine, engine::Engine::create(std::move(served.runner), options, std::move(drafts)));
  m.engine = std::move(engine);
  m.id = flags.served_model_name.empty() ? default_name(flags.model.model) : flags.served_model_name;
  m.path = flags.model.model;
  m.defaults = generation_defaults(served.dir.config.sampling);
  for (int64_t id : served.dir.config.eos_token_ids) m.stop_token_ids.push_back(static_cast<int32_t>(id));
  m.system_prompt = flags.system_prompt;
  m.pinned_prefix = system_prefix(m);
  m.fingerprint = "mlc_" + build_id().substr(0, 10);
  m.created = static_cast<int64_t>(std::time(nullptr));
  return m;
}

}  // namespace mlc::loader
