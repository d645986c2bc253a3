// What a model is, parsed from its description: sizes, normalization, rotary embedding, special tokens.
//
//   MLC_TRY(ModelConfig c, load_model_config("/models/llama-3.2-1b"));   // config.json or mlc-chat-config.json
//   c.hidden_size == 2048;  c.q_size() == c.num_heads * c.head_dim;  compute_rope(c).inv_freq.size() == c.head_dim / 2;
//
// Every size in a ModelConfig has been checked: positive, consistent, and small enough to be real. A description that
// does not pass gives one line that names the file, the field, what was found and what was expected.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace mlc::model {

enum class RopeScalingKind { kNone, kLinear, kLlama3, kYarn };

// The `rope_scaling` (or `rope_parameters`) of a Hugging Face config.
struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1.0;
  double low_freq_factor = 1.0;        // llama3
  double high_freq_factor = 4.0;       // llama3
  double beta_fast = 32.0;             // yarn
  double beta_slow = 1.0;              // yarn
  double attention_factor = 0.0;       // yarn; 0: derived from factor
  bool truncate = true;                // yarn: round the correction range to whole dimensions
  int64_t original_max_positions = 0;  // llama3, yarn
  bool operator==(const RopeScaling&) const = default;
};

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"
  std::string model_type;    // "llama", "mistral", "qwen2"
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;  // biases on q, k and v
  bool o_bias = false;    // bias on the attention's output projection
  bool mlp_bias = false;  // biases on gate, up and down
  int64_t max_position_embeddings = 0;
  // The attention window of the description, 0 for none. Attention here is always full, which is the same thing up to
  // this many tokens: context_limit() takes it into account.
  int64_t sliding_window = 0;
  int64_t bos_token_id = -1;  // -1: not stated
  int64_t pad_token_id = -1;
  std::vector<int64_t> eos_token_ids;
  DType dtype = DType::f32();  // of the published weights, as far as the description tells

  int64_t q_size() const { return num_heads * head_dim; }
  int64_t kv_size() const { return num_kv_heads * head_dim; }
  int64_t qkv_size() const { return q_size() + 2 * kv_size(); }
  // The longest context for which full attention is exact: positions, and the window if there is one.
  int64_t context_limit() const;
  int64_t num_parameters() const;  // tied embeddings counted once
};

// The architectures that can be built, for messages and --help.
const std::vector<std::string>& supported_architectures();

// Parses a config.json body, or the `model_config` of an mlc-chat-config.json (whose names differ a little: both are
// read). `model_type` is used where the body names neither architecture nor type. `where` names the source in messages.
Result<ModelConfig> parse_model_config(const nlohmann::json& body, const std::string& where,
                                       const std::string& model_type = "");

// Reads config.json, else mlc-chat-config.json, of a directory; or the file itself when given one.
Result<ModelConfig> load_model_config(const std::string& dir_or_file);

// The inverse: the body as mlc-chat-config.json carries it, readable by parse_model_config and by MLC LLM.
nlohmann::ordered_json model_config_json(const ModelConfig& config, int64_t context_window_size,
                                         int64_t prefill_chunk_size, int64_t max_batch_size);

struct RopeFrequencies {
  std::vector<float> inv_freq;     // [head_dim / 2], scaling applied; computed in float32 as Hugging Face does
  float attention_scaling = 1.0f;  // factor on cos and sin
};
RopeFrequencies compute_rope(const ModelConfig& config);

}  // namespace mlc::model
