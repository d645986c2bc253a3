#include "loader/model_dir.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/cpu_count.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "loader/hub_model.h"
#include "loader/progress.h"
#include "model/convert.h"
#include "quant/scheme.h"
#include "text/convert.h"
#include "weights/mlc_shards.h"
#include "weights/open.h"

namespace mlc::loader {

int resolve_threads(int threads) { return threads > 0 ? threads : default_num_threads(); }

namespace {

bool has_tokenizer_files(const std::string& dir, const model::ChatConfig& config) {
  return std::all_of(config.tokenizer_files.begin(), config.tokenizer_files.end(),
                     [&](const std::string& name) { return path_exists(join_path(dir, name)); });
}

// Converts a Hugging Face directory into the cache under a key of its content and the scheme.
Result<ModelDir> convert_to_cache(const artifact::Cache& cache, const ModelOptions& flags) {
  MLC_TRY(model::ModelConfig config, model::load_model_config(flags.model));
  MLC_TRY(auto source, weights::open_weights(flags.model));
  std::string scheme_name = flags.quantization;
  if (scheme_name.empty()) {
    const DType stored = source->tensors().empty() ? DType::f32() : source->tensors()[0].dtype;
    scheme_name = quant::default_scheme(config.num_parameters(), stored);
  }
  MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(scheme_name));
  MLC_TRY(std::string content, artifact::content_key(cache, flags.model));
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
      artifact::Cache::touch(out.dir);
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

Result<ModelDir> open_model_dir(const artifact::Cache& cache, const ModelOptions& given) {
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
  MLC_TRY(out.source_key, artifact::content_key(cache, flags.model));
  return out;
}

Result<ModelDir> convert_again(const artifact::Cache& cache, const ModelDir& damaged, const ModelOptions& flags) {
  {
    MLC_TRY(FileLock lock, FileLock::acquire(cache.lock_path(damaged.source_key)));
    if (!weights::open_mlc_shards(damaged.dir, {.verify_md5 = true})) MLC_TRY_VOID(remove_all(damaged.dir));
  }
  return open_model_dir(cache, flags);
}

}  // namespace mlc::loader
