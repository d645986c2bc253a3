// mlc-chat-config.json: what serving needs to know about a model directory beside its weights.
//
//   MLC_TRY(ChatConfig c, load_chat_config("/models/Llama-3-8B-q4f16_1-MLC"));    // ours or MLC LLM's own
//   c.quantization == "q4f16_1";  c.sampling.temperature;  c.eos_token_ids;
//
//   GenConfigOptions options;
//   options.source_dir = "hf", options.quantization = "q4f16_1", options.out_dir = "out";
//   MLC_TRY(GenConfigReport report, gen_config(options));     // out/mlc-chat-config.json and the tokenizer's files
//
// Beside MLC's fields we write "chat_template", the model's own Jinja template, when the conversation template was
// chosen automatically: a reader that can render Jinja prefers it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/config.h"

namespace mlc::model {

struct SamplingDefaults {
  double temperature = 1.0;
  double top_p = 1.0;
  double presence_penalty = 0.0;
  double frequency_penalty = 0.0;
  double repetition_penalty = 1.0;
  std::optional<int64_t> top_k;  // not MLC's; kept when generation_config.json has it
  std::optional<double> min_p;   // likewise
};

struct TokenizerInfo {
  std::string token_postproc_method = "byte_fallback";  // or "byte_level"
  bool prepend_space_in_encode = false;
  bool strip_space_in_decode = false;
};

struct ChatConfig {
  std::string version = "0.1.0";
  std::string quantization;
  ModelConfig model;
  int64_t context_window_size = 0;  // tokens; at most model.context_limit() when it was read
  int64_t prefill_chunk_size = 0;
  int64_t max_batch_size = 128;
  int64_t sliding_window_size = -1;  // as written; -1 for none
  int64_t attention_sink_size = -1;
  int64_t active_vocab_size = 0;  // tokens that the tokenizer knows
  SamplingDefaults sampling;
  std::vector<std::string> tokenizer_files;
  TokenizerInfo tokenizer_info;
  OrderedJson conv_template;  // always an object; see text/mlc_template.h
  std::string chat_template;  // Jinja; empty if the conversation template is to be used
  int64_t pad_token_id = 0;
  int64_t bos_token_id = 1;
  std::vector<int64_t> eos_token_ids = {2};
  std::string model_task = "chat";
};

// Reads mlc-chat-config.json of a directory (or the file itself). A conv_template that is only a name, as old
// directories have it, is looked up. -1 for a window means none.
Result<ChatConfig> load_chat_config(const std::string& dir_or_file);
std::string chat_config_text(const ChatConfig& config);  // the file's text

struct GenConfigOptions {
  std::string source_dir;  // a Hugging Face directory
  std::string quantization;
  std::string conv_template = "auto";
  std::optional<int64_t> context_window_size;  // default: the model's limit
  std::optional<int64_t> prefill_chunk_size;   // default: min(context, kDefaultPrefillChunk)
  std::optional<int64_t> sliding_window_size;  // only -1 or what the model has: anything else is refused
  std::optional<int64_t> attention_sink_size;
  std::optional<int64_t> max_batch_size;
  std::optional<int64_t> tensor_parallel_shards;  // only 1
  std::string out_dir;
  // Makes the text of a tokenizer.json from the source directory, where it has none (text/convert.h); kNotFound means
  // that there is nothing to make it from.
  std::function<Result<std::string>(const std::string& dir)> assemble_tokenizer;
};
inline constexpr int64_t kDefaultPrefillChunk = 2048;

struct GenConfigReport {
  ChatConfig config;
  std::vector<std::string> warnings;
};

// Works out the config without writing anything.
Result<GenConfigReport> make_chat_config(const GenConfigOptions& options);
// The same, and writes it and the tokenizer's files into out_dir. A failure leaves out_dir as it was.
Result<GenConfigReport> gen_config(const GenConfigOptions& options);

}  // namespace mlc::model
