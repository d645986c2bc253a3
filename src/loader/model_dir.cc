#include "loader/model_dir.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/cpu_count.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "codegen/llvm/host.h"
#include "loader/hub_model.h"
#include "loader/progress.h"
#include "model/convert.h"
#include "quant/scheme.h"
#include "text/convert.h"
#include "weights/mlc_shards.h"
#include "weights/open.h"

namespace mlc::loader {

Result<target::Target> resolve_device(const ModelOptions& flags) {
  if (flags.device != "auto" && flags.device != "cpu" && flags.device != "cpu:0") {
    return error(ErrorCode::kUnsupported, "--device {} is not supported; use auto or cpu", flags.device);
  }
  if (flags.target.empty() && flags.mcpu.empty()) return codegen::native_target();
  std::string text = flags.target.empty() ? "host" : flags.target;
  if (!flags.mcpu.empty()) text = (flags.target.empty() ? std::string("cpu") : flags.target) + " -mcpu=" + flags.mcpu;
  MLC_TRY(target::Target parsed, target::Target::parse(text));
  return codegen::resolve_target(parsed);
}

Result<int> resolve_opt_level(const std::string& opt) {
  if (opt.size() == 2 && opt[0] == 'O' && opt[1] >= '0' && opt[1] <= '3') return opt[1] - '0';
  return error("--opt is \"{}\", expected O0, O1, O2 or O3", opt);
}

Result<graph::Activation> resolve_activation(const std::string& name) {
  if (name == "int8") return graph::Activation::kInt8;
  if (name == "f32") return graph::Activation::kFloat32;
  return error("--activation is \"{}\", expected int8 or f32", name);
}

Result<std::optional<DType>> resolve_kv_dtype(const std::string& name) {
  if (name == "auto") return std::optional<DType>();
  if (name == "f32") return std::optional(DType::f32());
  if (name == "f16") return std::optional(DType::f16());
  if (name == "bf16") return std::optional(DType::bf16());
  if (name == "int8") return std::optional(DType::i8());
  return error("--kv-cache-dtype is \"{}\", expected auto, f32, f16, bf16 or int8", name);
}

int resolve_threads(int threads) { return threads > 0 ? threads : default_num_threads(); }

std::string default_tuning_path() { return join_path(compiler::Cache::default_root(), "tuning.jsonl"); }

Result<std::shared_ptr<const compiler::TuningDatabase>> open_tuning(const std::string& tuning_db) {
  using compiler::TuningDatabase;
  const bool automatic = tuning_db == "auto";
  const std::string path = automatic ? default_tuning_path() : tuning_db;
  if (tuning_db == "none" || (automatic && !path_exists(path))) return std::shared_ptr<const TuningDatabase>();
  std::vector<std::string> problems;
  auto db = TuningDatabase::load(path, automatic ? &problems : nullptr);
  if (!db && automatic) {
    log::warn("{}; going on without it", db.error().message);
    return std::shared_ptr<const TuningDatabase>();
  }
  if (!db) return std::move(db).error().context("--tuning-db");
  if (!problems.empty()) {
    log::warn("{}; {} of {} tuning records are left out", problems[0], problems.size(),
              problems.size() + db->records().size());
  }
  return std::make_shared<const TuningDatabase>(std::move(*db));
}

Result<compiler::CompileOptions> compile_options(const ModelOptions& flags) {
  compiler::CompileOptions o;
  MLC_TRY(o.target, resolve_device(flags));
  MLC_TRY(o.activation, resolve_activation(flags.activation));
  MLC_TRY(o.kv_dtype, resolve_kv_dtype(flags.kv_cache_dtype));
  MLC_TRY(o.opt_level, resolve_opt_level(flags.opt));
  MLC_TRY(o.tuning, open_tuning(flags.tuning_db));
  o.num_threads = resolve_threads(flags.threads);
  o.context_window_size = flags.context_window_size;
  o.prefill_chunk_size = flags.prefill_chunk_size;
  o.max_batch_size = flags.max_batch_size;
  return o;
}

namespace {

bool has_tokenizer_files(const std::string& dir, const model::ChatConfig& config) {
  return std::all_of(config.tokenizer_files.begin(), config.tokenizer_files.end(),
                     [&](const std::string& name) { return path_exists(join_path(dir, name)); });
}

// Converts a Hugging Face directory into the cache under a key of its content and the scheme.
Result<ModelDir> convert_to_cache(const compiler::Cache& cache, const ModelOptions& flags) {
  MLC_TRY(model::ModelConfig config, model::load_model_config(flags.model));
  MLC_TRY(auto source, weights::open_weights(flags.model));
  std::string scheme_name = flags.quantization;
  if (scheme_name.empty()) {
    const DType stored = source->tensors().empty() ? DType::f32() : source->tensors()[0].dtype;
    scheme_name = quant::default_scheme(config.num_parameters(), stored);
  }
  MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(scheme_name));
  MLC_TRY(std::string content, compiler::content_key(cache, flags.model));
  const std::string key = sha256_hex(fmt::format("{} {} v1", content, scheme_name)).substr(0, 32);
  ModelDir out;
  out.dir = cache.model_path(key);
  out.source_key = key;
  out.converted = true;
  MLC_TRY(FileLock lock, FileLock::acquire(cache.lock_path(key)));
  if (is_directory(out.dir)) {
    auto known = model::load_chat_config(out.dir);
    auto weights = weights::open_weights(out.dir);
    if (known && weights && has_tokenizer_files(out.dir, *known) &&
        model::check_stored_tensors(**weights, known->model, *scheme)) {
      compiler::Cache::touch(out.dir);
      out.config = std::move(known).value();
      return out;
    }
    log::info("the cached conversion {} is damaged; converting again", out.dir);
    MLC_TRY_VOID(remove_all(out.dir));
  }
  Progress progress(fmt::format("converting weights to {}", scheme_name));
  MLC_TRY(TempDir tmp, TempDir::create_beside(out.dir));
  model::ConvertOptions convert_options;
  convert_options.num_threads = resolve_threads(flags.threads);
  convert_options.progress = [&](const model::ConvertProgress& p) {
    progress.update(static_cast<double>(p.done) / static_cast<double>(p.total));
  };
  MLC_TRY(auto report, model::convert(*source, config, *scheme, tmp.path(), convert_options));
  for (const std::string& w : report.warnings) log::warn("{}", w);
  model::GenConfigOptions gen;
  gen.source_dir = flags.model;
  gen.quantization = scheme_name;
  gen.out_dir = tmp.path();
  gen.assemble_tokenizer = text::assemble_tokenizer_json;
  MLC_TRY(auto generated, model::gen_config(gen));
  for (const std::string& w : generated.warnings) log::warn("{}", w);
  MLC_TRY_VOID(rename_path(tmp.path(), out.dir));
  tmp.release();
  progress.done(fmt::format("{:.1f} MB", static_cast<double>(report.bytes) / 1e6));
  MLC_TRY(out.config, model::load_chat_config(out.dir));
  return out;
}

}  // namespace

Result<ModelDir> open_model_dir(const compiler::Cache& cache, const ModelOptions& given) {
  ModelOptions flags = given;
  MLC_TRY(flags.model, local_model(given.model, Weights::kNeeded));
  if (!is_directory(flags.model)) {
    return error(ErrorCode::kNotFound,
                 "there is no model directory \"{}\"; expected a Hugging Face directory (config.json, *.safetensors, "
                 "tokenizer.json), an MLC model directory (mlc-chat-config.json), or HF://USER/REPO",
                 flags.model);
  }
  if (!path_exists(join_path(flags.model, "mlc-chat-config.json"))) return convert_to_cache(cache, flags);
  ModelDir out;
  out.dir = flags.model;
  MLC_TRY(out.config, model::load_chat_config(flags.model));
  if (!flags.quantization.empty() && flags.quantization != out.config.quantization) {
    return error("{} holds {} weights; --quantization {} needs the original Hugging Face directory", flags.model,
                 out.config.quantization, flags.quantization);
  }
  // Before anything is compiled for weights that do not fit.
  MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(out.config.quantization));
  MLC_TRY(auto source, weights::open_mlc_shards(flags.model));
  MLC_TRY_VOID(model::check_stored_tensors(*source, out.config.model, *scheme));
  MLC_TRY(out.source_key, compiler::content_key(cache, flags.model));
  return out;
}

Result<ModelDir> convert_again(const compiler::Cache& cache, const ModelDir& damaged, const ModelOptions& flags) {
  {
    MLC_TRY(FileLock lock, FileLock::acquire(cache.lock_path(damaged.source_key)));
    if (!weights::open_mlc_shards(damaged.dir, {.verify_md5 = true})) MLC_TRY_VOID(remove_all(damaged.dir));
  }
  return open_model_dir(cache, flags);
}

Result<std::string> find_library(const compiler::Cache& cache, const ModelDir& dir, const ModelOptions& flags) {
  if (!flags.model_lib.empty()) return flags.model_lib;
  MLC_TRY(compiler::CompileOptions options, compile_options(flags));
  if (options.context_window_size == 0) options.context_window_size = dir.config.context_window_size;
  std::optional<Progress> progress;
  options.progress = [&](const std::string& stage) {
    if (!progress) progress.emplace("compiling for this machine");
    progress->update(stage);
  };
  MLC_TRY(std::string path, compiler::cached_library(cache, dir.config.model, dir.config.quantization, options));
  if (progress) progress->done();
  return path;
}

}  // namespace mlc::loader
