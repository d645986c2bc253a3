#include "tools/load_flags.h"

#include <fmt/format.h>

#include "engine/cpu_runner.h"
#include "loader/hub_model.h"
#include "loader/library.h"

namespace mlc::tools {
namespace {

template <typename Formats>
std::vector<std::string> names_of(const Formats& formats, std::initializer_list<const char*> more) {
  std::vector<std::string> names(more.begin(), more.end());
  for (const auto& format : formats) names.emplace_back(format.name);
  return names;
}

}  // namespace

CLI::Option* add_load_flags(CLI::App& app, loader::LoadOptions& flags, const std::string& names) {
  auto* model = app.add_option(names, flags.model.model, loader::kModelHelp)->required();
  app.add_option("--model-lib", flags.model.model_lib, "Compiled library; default: " + loader::library_default());
  app.add_option("--quantization", flags.model.quantization,
                 "How to store a Hugging Face model's weights; default: q4f16_1 above 100 M parameters, full precision "
                 "below");
  if (loader::kHasCompiler) {
    add_compile_flags(app, flags.model);
  } else {
    add_threads_flag(app, flags.model);
  }
  app.add_option("--chat-template", flags.chat_template, "Jinja or MLC conversation template file");
  app.add_option("--system-prompt", flags.system_prompt, "System message for chats that bring none");
  app.add_flag("--mlock", flags.mlock, "Keep the weights in memory");
  app.add_option("--gpu-memory-utilization", flags.memory_share,
                 fmt::format("The share of the available memory that the KV cache may take, more than 0 and at most 1; "
                             "default: {}",
                             engine::kDefaultMemoryShare))
      ->check(CLI::Range(0.01, 1.0));
  app.add_option("--speculative-mode", flags.speculative_mode,
                 "Guess tokens and check several at once; the text stays the same. ngram: what followed the same words "
                 "before; small_draft: the model of --additional-models; disable")
      ->capture_default_str();
  app.add_option("--additional-models", flags.additional_models,
                 "PATH or PATH,LIB: the smaller model of the same family that guesses")
      ->allow_extra_args(false);
  app.add_option("--spec-draft-length", flags.spec_draft_length,
                 fmt::format("Tokens guessed at a time, at most {}; 0: as it pays off", engine::kMaxDraft))
      ->check(CLI::Range(int64_t{0}, engine::kMaxDraft))
      ->capture_default_str();
  return model;
}

void add_answer_flags(CLI::App& app, loader::LoadOptions& flags) {
  const auto list = [](const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
  };
  const auto tools = names_of(text::tool_formats(), {"auto"});
  const auto reasoning = names_of(text::reasoning_formats(), {"auto", "none"});
  app.add_option("--tool-call-parser", flags.tool_call_parser,
                 "How the model writes calls of tools: " + list(tools) + "; auto: as its chat template says")
      ->check(CLI::IsMember(tools))
      ->capture_default_str();
  app.add_option("--reasoning-parser", flags.reasoning_parser,
                 "How the model marks what it thinks: " + list(reasoning) + "; auto: as its chat template says")
      ->check(CLI::IsMember(reasoning))
      ->capture_default_str();
}

void add_threads_flag(CLI::App& app, loader::ModelOptions& flags) {
  app.add_option("--threads", flags.threads, "Threads; 0: one per physical performance core that this process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_compile_flags(CLI::App& app, loader::ModelOptions& flags) {
  app.add_option("--device", flags.device, "Device: auto or cpu")->capture_default_str();
  app.add_option("--target", flags.target,
                 "Compile for another machine: a triple such as aarch64-linux-gnu or x86_64-windows-gnu");
  app.add_option("--mcpu", flags.mcpu, "Compile for a CPU by LLVM's name, such as skylake-avx512 or znver4");
  app.add_option(
         "--activation", flags.activation,
         "Inputs of layers: int8 (integer dot products for quantized weights; for bf16 weights bf16 ones, where "
         "the CPU is fast at them) or f32 (exact)")
      ->capture_default_str();
  app.add_option("--kv-cache-dtype", flags.kv_cache_dtype,
                 "How keys and values are stored: auto (as the scheme's floats), f32, f16, bf16 or int8")
      ->capture_default_str();
  app.add_option("--opt", flags.opt, "Optimization level: O0, O1, O2, O3")->capture_default_str();
  app.add_option("--tuning-db", flags.tuning_db,
                 "Schedules that `mlc_llm tune` found: a file, none, or auto (the one in $MLC_LLM_HOME)")
      ->capture_default_str();
  add_threads_flag(app, flags);
}

}  // namespace mlc::tools
