// mlc_llm import: llama2.c checkpoints to Hugging Face directories.
#include <fmt/format.h>

#include <memory>

#include "base/file.h"
#include "text/convert.h"
#include "tools/command.h"
#include "weights/llama2c.h"

namespace mlc::tools {

std::function<Result<int>()> setup_import(CLI::App& app) {
  struct Options {
    std::string checkpoint, tokenizer, output;
  };
  auto o = std::make_shared<Options>();
  app.add_option("checkpoint", o->checkpoint, "llama2.c checkpoint (.bin, float32)")->required();
  app.add_option("--tokenizer", o->tokenizer, "llama2.c tokenizer (.bin); without it the model takes token ids only");
  app.add_option("-o,--output", o->output, "Hugging Face directory to write")->required();
  return [o]() -> Result<int> {
    std::string tokenizer_json;
    if (!o->tokenizer.empty()) {
      MLC_TRY(std::string bytes, read_file(o->tokenizer));
      auto made = text::tokenizer_from_llama2c(bytes);
      if (!made) return std::move(made).error().context("{}", o->tokenizer);
      tokenizer_json = *made;
    }
    MLC_TRY_VOID(weights::import_llama2c(o->checkpoint, o->output));
    if (!tokenizer_json.empty()) {
      MLC_TRY_VOID(write_file_atomic(join_path(o->output, "tokenizer.json"), tokenizer_json));
    }
    fmt::print("wrote {}\n", o->output);
    return 0;
  };
}

}  // namespace mlc::tools
