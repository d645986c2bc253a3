// mlc_llm compile
#include <fmt/format.h>

#include <memory>

#include "loader/compiler/compile_options.h"
#include "loader/progress.h"
#include "quant/scheme.h"
#include "tools/command.h"
#include "tools/load_flags.h"
#include "tools/overrides.h"
#include "tools/subject.h"

namespace mlc::tools {
namespace {

struct Options {
  loader::ModelOptions flags;
  std::string output, overrides, model_type = "auto", debug_dump, host = "auto";
};

Result<int> compile(const Options& o) {
  MLC_TRY(Subject subject, find_subject(o.flags.model, o.flags.quantization));
  if (o.model_type != "auto" && o.model_type != subject.config.model_type) {
    return error("--model-type is {}, but {} describes a {} model", o.model_type, o.flags.model,
                 subject.config.model_type);
  }
  MLC_TRY(auto overrides,
          parse_overrides(o.overrides, {"context_window_size", "prefill_chunk_size", "max_batch_size"}));
  loader::ModelOptions flags = o.flags;
  flags.context_window_size = subject.context_window_size;
  if (overrides.count("context_window_size")) flags.context_window_size = overrides["context_window_size"];
  if (overrides.count("prefill_chunk_size")) flags.prefill_chunk_size = overrides["prefill_chunk_size"];
  if (overrides.count("max_batch_size")) flags.max_batch_size = overrides["max_batch_size"];
  if (o.host != "auto" && !flags.target.empty()) return error("--host and --target name the same machine; give one");
  if (o.host != "auto") flags.target = o.host;
  MLC_TRY(compiler::CompileOptions options, loader::compile_options(flags));
  const std::string suffix = options.target.is_windows() ? ".dll" : ".so";
  if (!o.output.ends_with(suffix)) {
    return error("--output is \"{}\"; expected a name that ends in {} (a shared library)", o.output, suffix);
  }
  loader::Progress progress(fmt::format("compiling {} for {}", subject.scheme, options.target.cpu));
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
  app.add_option("model", o->flags.model,
                 "Model directory, mlc-chat-config.json, HF://USER/REPO[@REVISION], or the name of a preset")
      ->required();
  app.add_option("--quantization", o->flags.quantization, "One of " + quant::scheme_names() + "; default: the model's");
  app.add_option("--model-type", o->model_type, "auto, or the type the model must have")->capture_default_str();
  add_compile_flags(app, o->flags);
  app.add_option("--host", o->host,
                 "The machine that runs the library: auto (this one), or a triple such as aarch64-linux-gnu or "
                 "x86_64-windows-gnu")
      ->capture_default_str();
  app.add_option("--overrides", o->overrides, "k=v;k=v with context_window_size, prefill_chunk_size, max_batch_size");
  app.add_option("--debug-dump", o->debug_dump, "Write every stage as text into this directory");
  app.add_option("-o,--output", o->output, "The library to write (.so; .dll for Windows)")->required();
  return [o]() { return compile(*o); };
}

}  // namespace mlc::tools
