// mlc_llm convert_weight
#include <fmt/format.h>

#include <memory>

#include "base/log.h"
#include "loader/hub_model.h"
#include "loader/progress.h"
#include "model/convert.h"
#include "model/lora.h"
#include "quant/scheme.h"
#include "tools/command.h"
#include "weights/open.h"

namespace mlc::tools {
namespace {

struct Options {
  std::string config, quantization, output, source, lora_adapter;
  std::string model_type = "auto", device = "auto", source_format = "auto";
};

Result<int> convert_weight(const Options& o) {
  if (o.device != "auto" && o.device != "cpu") {
    return error(ErrorCode::kUnsupported, "--device {} is not supported; weights are converted on the cpu", o.device);
  }
  MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(o.quantization));
  const bool own_weights = o.source.empty();
  MLC_TRY(const std::string config_dir,
          loader::local_model(o.config, own_weights ? loader::Weights::kNeeded : loader::Weights::kNotNeeded));
  MLC_TRY(model::ModelConfig config, model::load_model_config(config_dir));
  if (o.model_type != "auto" && o.model_type != config.model_type) {
    return error("--model-type is {}, but {} describes a {} model", o.model_type, o.config, config.model_type);
  }
  MLC_TRY(const std::string source_dir,
          loader::local_model(own_weights ? config_dir : o.source, loader::Weights::kNeeded));
  if (weights::detect_weights(source_dir) == weights::WeightFormat::kMlc) {
    return error("{} holds weights that are converted already (tensor-cache.json); expected *.safetensors", source_dir);
  }
  MLC_TRY(auto source, weights::open_weights(source_dir));
  if (!o.lora_adapter.empty()) {
    MLC_TRY(source, model::merge_lora(std::move(source), o.lora_adapter));
  }
  loader::Progress progress(fmt::format("converting to {}", scheme->name()));
  model::ConvertOptions options;
  options.progress = [&](const model::ConvertProgress& p) {
    progress.update(
        fmt::format("{:.0f}% {}", 100.0 * static_cast<double>(p.done) / static_cast<double>(p.total), p.name));
  };
  MLC_TRY(auto report, model::convert(*source, config, *scheme, o.output, options));
  for (const std::string& w : report.warnings) log::warn("{}", w);
  progress.done(fmt::format("{} parameters, {:.1f} MB, {:.2f} bits per parameter", report.num_parameters,
                            static_cast<double>(report.bytes) / 1e6, report.bits_per_parameter));
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_convert_weight(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config, "Directory with config.json and *.safetensors, or HF://USER/REPO[@REVISION]")
      ->required();
  app.add_option("--quantization", o->quantization, "One of " + quant::scheme_names())->required();
  app.add_option("--model-type", o->model_type, "auto, or the type the configuration must have")->capture_default_str();
  app.add_option("--device", o->device, "auto or cpu")->capture_default_str();
  app.add_option("--source", o->source, "Directory or HF:// name of the weights, if not that of the configuration");
  app.add_option("--source-format", o->source_format, "auto or huggingface-safetensor")
      ->check(CLI::IsMember({"auto", "huggingface-safetensor"}))
      ->capture_default_str();
  app.add_option("--lora-adapter", o->lora_adapter, "PEFT adapter to merge into the weights first");
  app.add_option("-o,--output", o->output, "Directory to write to")->required();
  return [o]() { return convert_weight(*o); };
}

}  // namespace mlc::tools
