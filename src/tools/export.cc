// mlc_llm export: a model, or a shape with random weights, as a file for another program.
#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "loader/hub_model.h"
#include "loader/model_dir.h"
#include "loader/progress.h"
#include "model/export_gguf.h"
#include "model/params.h"
#include "model/presets.h"
#include "tools/command.h"
#include "weights/open.h"

namespace mlc::tools {
namespace {

struct Options {
  loader::ModelOptions flags;
  std::string preset, format = "gguf", type, output;
  bool synthetic = false;
};

weights::GgufType gguf_type(const std::string& name) {
  return name == "f32"    ? weights::GgufType::kF32
         : name == "f16"  ? weights::GgufType::kF16
         : name == "q8_0" ? weights::GgufType::kQ8_0
                          : weights::GgufType::kQ4_0;
}

// What a Hugging Face directory is converted to on the way: no less than what it holds.
std::string exact_scheme(const model::ModelConfig& config) {
  return config.dtype == DType::f16() ? "q0f16" : config.dtype == DType::bf16() ? "q0bf16" : "q0f32";
}

Result<int> export_model(const Options& o) {
  if (o.preset.empty() == o.flags.model.empty()) return error("give a model directory, or --preset NAME --synthetic");
  if (o.synthetic != !o.preset.empty()) return error("--preset and --synthetic go together: a shape has no weights");
  model::ExportOptions options{gguf_type(o.type), o.preset, "", {}};
  model::ModelConfig config;
  const quant::Scheme* scheme = nullptr;
  std::unique_ptr<weights::TensorSource> source;
  if (!o.preset.empty()) {
    MLC_TRY(config, model::preset_config(o.preset));
    MLC_TRY(scheme, quant::scheme_by_name("q0f16"));
    source = model::synthetic_model(config, *scheme, loader::kSyntheticSeed);
  } else {
    MLC_TRY(auto cache, artifact::Cache::open());
    loader::ModelOptions flags = o.flags;
    MLC_TRY(flags.model, loader::local_model(o.flags.model, loader::Weights::kNeeded));
    if (is_directory(flags.model) && !path_exists(join_path(flags.model, "mlc-chat-config.json"))) {
      MLC_TRY(auto original, model::load_model_config(flags.model));
      flags.quantization = exact_scheme(original);
    }
    MLC_TRY(loader::ModelDir dir, loader::open_model_dir(cache, flags));
    config = dir.config.model;
    MLC_TRY(scheme, quant::scheme_by_name(dir.config.quantization));
    MLC_TRY(source, weights::open_weights(dir.dir));
    options.tokenizer_file = join_path(dir.dir, "tokenizer.json");
    if (!path_exists(options.tokenizer_file)) options.tokenizer_file.clear();
  }
  loader::Progress progress(fmt::format("exporting to {} {}", o.format, o.type));
  options.progress = [&](double part) { progress.update(part); };
  MLC_TRY(auto report, model::export_gguf(*source, *scheme, config, options, o.output));
  if (!o.flags.model.empty() && !report.has_tokenizer) {
    log::warn("{} has no byte-level BPE tokenizer.json: {} takes token numbers only, which is enough for benchmarks",
              o.flags.model, o.output);
  }
  progress.done(fmt::format("{} tensors, {:.1f} MB", report.tensors, static_cast<double>(report.bytes) / 1e6));
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_export(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->flags.model, loader::kModelHelp);
  app.add_option("--preset", o->preset, "A model shape by name, such as llama-3.2-1b");
  app.add_flag("--synthetic", o->synthetic, "The random weights that bench --synthetic measures");
  app.add_option("--format", o->format, "File format")->check(CLI::IsMember({"gguf"}))->capture_default_str();
  app.add_option("--type", o->type, "Encoding of the matrices: f32, f16, q8_0 or q4_0")
      ->required()
      ->check(CLI::IsMember({"f32", "f16", "q8_0", "q4_0"}));
  app.add_option("-o,--output", o->output, "The file to write")->required();
  return [o]() { return export_model(*o); };
}

}  // namespace mlc::tools
