// mlc_llm compile
#include <fmt/format.h>

#include <memory>

#include "base/file.h"
#include "model/presets.h"
#include "quant/scheme.h"
#include "tools/command.h"
#include "tools/model_dir.h"
#include "tools/overrides.h"
#include "tools/progress.h"

namespace mlc::tools {
namespace {

struct Options {
  ModelFlags flags;
  std::string output, overrides, model_type = "auto", debug_dump;
};

struct Subject {
  model::ModelConfig config;
  std::string scheme;
  int64_t context_window_size = 0;
};

// A directory with mlc-chat-config.json or config.json, such a file, or the name of a preset.
Result<Subject> find_subject(const Options& o) {
  Subject s;
  s.scheme = o.flags.quantization;
  const std::string& model = o.flags.model;
  if (path_exists(join_path(model, "mlc-chat-config.json")) || model.ends_with("mlc-chat-config.json")) {
    MLC_TRY(model::ChatConfig chat, model::load_chat_config(model));
    s.config = chat.model;
    s.context_window_size = chat.context_window_size;
    if (s.scheme.empty()) s.scheme = chat.quantization;
  } else if (path_exists(model)) {
    MLC_TRY(s.config, model::load_model_config(model));
  } else {
    auto preset = model::preset_config(model);
    if (!preset) {
      return error(ErrorCode::kNotFound, "there is no file or directory \"{}\", and it is not a preset: {}", model,
                   preset.error().message);
    }
    s.config = *preset;
  }
  if (s.scheme.empty()) return error("--quantization is needed: {} does not name one", model);
  MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(s.scheme));
  s.scheme = scheme->name();
  return s;
}

Result<int> compile(const Options& o) {
  MLC_TRY(Subject subject, find_subject(o));
  if (o.model_type != "auto" && o.model_type != subject.config.model_type) {
    return error("--model-type is {}, but {} describes a {} model", o.model_type, o.flags.model,
                 subject.config.model_type);
  }
  if (!o.output.ends_with(".so")) {
    return error("--output is \"{}\"; expected a name that ends in .so (a shared library)", o.output);
  }
  MLC_TRY(auto overrides,
          parse_overrides(o.overrides, {"context_window_size", "prefill_chunk_size", "max_batch_size"}));
  ModelFlags flags = o.flags;
  flags.context_window_size = subject.context_window_size;
  if (overrides.count("context_window_size")) flags.context_window_size = overrides["context_window_size"];
  if (overrides.count("prefill_chunk_size")) flags.prefill_chunk_size = overrides["prefill_chunk_size"];
  if (overrides.count("max_batch_size")) flags.max_batch_size = overrides["max_batch_size"];
  MLC_TRY(compiler::CompileOptions options, compile_options(flags));
  Progress progress(fmt::format("compiling {} for {}", subject.scheme, options.target.cpu));
  options.progress = [&](const std::string& stage) { progress.update(stage); };
  if (!o.debug_dump.empty()) {
    setenv("MLC_DUMP", "all", 1);
    setenv("MLC_DUMP_DIR", o.debug_dump.c_str(), 1);
  }
  MLC_TRY(auto artifact, compiler::compile_model(subject.config, subject.scheme, options, o.output));
  progress.done(fmt::format("{} kernels, {}", artifact.plan.calls.size(), o.output));
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_compile(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("model", o->flags.model, "Model directory, mlc-chat-config.json, or the name of a preset")->required();
  app.add_option("--quantization", o->flags.quantization, "One of " + quant::scheme_names() + "; default: the model's");
  app.add_option("--model-type", o->model_type, "auto, or the type the model must have")->capture_default_str();
  add_compile_flags(app, o->flags);
  app.add_option("--overrides", o->overrides, "k=v;k=v with context_window_size, prefill_chunk_size, max_batch_size");
  app.add_option("--debug-dump", o->debug_dump, "Write every stage as text into this directory");
  app.add_option("-o,--output", o->output, "The library to write (.so)")->required();
  return [o]() { return compile(*o); };
}

}  // namespace mlc::tools
