// mlc_llm gen_config
#include <fmt/format.h>

#include <memory>

#include "base/log.h"
#include "loader/hub_model.h"
#include "model/chat_config.h"
#include "quant/scheme.h"
#include "text/convert.h"
#include "tools/command.h"

namespace mlc::tools {

std::function<Result<int>()> setup_gen_config(CLI::App& app) {
  auto o = std::make_shared<model::GenConfigOptions>();
  app.add_option("config", o->source_dir, "Hugging Face directory, or HF://USER/REPO[@REVISION]")->required();
  app.add_option("--quantization", o->quantization, "One of " + quant::scheme_names())->required();
  app.add_option("--conv-template", o->conv_template, "auto, or a conversation template's name")->capture_default_str();
  app.add_option("--context-window-size", o->context_window_size, "Tokens; default: the model's");
  app.add_option("--prefill-chunk-size", o->prefill_chunk_size, "Prompt tokens computed in one step");
  app.add_option("--sliding-window-size", o->sliding_window_size, "-1, or the model's own");
  app.add_option("--attention-sink-size", o->attention_sink_size, "-1, or the model's own");
  app.add_option("--max-batch-size", o->max_batch_size, "Sequences at once");
  app.add_option("--tensor-parallel-shards", o->tensor_parallel_shards, "1");
  app.add_option("-o,--output", o->out_dir, "Directory to write to")->required();
  return [o]() -> Result<int> {
    MLC_TRY(o->source_dir, loader::local_model(o->source_dir, loader::Weights::kNotNeeded));
    o->assemble_tokenizer = text::assemble_tokenizer_json;
    MLC_TRY(auto report, model::gen_config(*o));
    for (const std::string& w : report.warnings) log::warn("{}", w);
    fmt::print("wrote {}/mlc-chat-config.json\n", o->out_dir);
    return 0;
  };
}

}  // namespace mlc::tools
