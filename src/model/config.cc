#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "base/file.h"
#include "base/json.h"

namespace mlc::model {
namespace {

struct Family {
  const char* architecture;
  const char* model_type;
  int64_t default_positions;  // what Hugging Face assumes where the description is silent
};
constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", "llama", 2048},
    {"MistralForCausalLM", "mistral", 32768},
    {"Qwen2ForCausalLM", "qwen2", 32768},
};

constexpr int64_t kMaxSize = int64_t{1} << 31;  // of any one dimension
constexpr double kMaxParameters = 5e11;         // 1 TB in 16 bits

// Reads fields of one JSON object and keeps the first complaint.
class Fields {
 public:
  Fields(const Json& body, std::string where) : body_(body), where_(std::move(where)) {}

  const Json* find(const char* key) const {
    auto it = body_.find(key);
    return it == body_.end() || it->is_null() ? nullptr : &*it;
  }

  // A size: a whole number from 1 up.
  int64_t size(const char* key, std::optional<int64_t> fallback = std::nullopt, const char* other_key = nullptr) {
    const Json* value = find(key);
    if (value == nullptr && other_key != nullptr) value = find(other_key);
    if (value == nullptr) {
      if (!fallback) fail(fmt::format("the field \"{}\" is missing", key));
      return fallback.value_or(1);
    }
    if (!value->is_number_integer()) {
      fail(fmt::format("\"{}\" is {}; expected a whole number", key, value->dump()));
      return 1;
    }
    if (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(kMaxSize)) {
      fail(fmt::format("\"{}\" is {}, larger than any real model ({})", key, value->dump(), kMaxSize));
      return 1;
    }
    const auto n = value->get<int64_t>();
    if (n < 1) fail(fmt::format("\"{}\" is {}; expected at least 1", key, n));
    if (n > kMaxSize) fail(fmt::format("\"{}\" is {}, larger than any real model ({})", key, n, kMaxSize));
    return n < 1 ? 1 : n;
  }

  double number(const char* key, double fallback, double low, double high) {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_number() || !std::isfinite(value->get<double>())) {
      fail(fmt::format("\"{}\" is {}; expected a number", key, value->dump()));
      return fallback;
    }
    const auto x = value->get<double>();
    if (!(x >= low && x <= high)) {
      fail(fmt::format("\"{}\" is {}; expected a number from {} to {}", key, value->dump(), low, high));
    }
    return x;
  }

  bool flag(const char* key, bool fallback) {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) {
      fail(fmt::format("\"{}\" is {}; expected true or false", key, value->dump()));
      return fallback;
    }
    return value->get<bool>();
  }

  std::string text(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_string()) {
      fail(fmt::format("\"{}\" is {}; expected a text", key, value->dump()));
      return {};
    }
    return value->get<std::string>();
  }

  // A token id or a list of them; other things (null, -1) mean "none".
  std::vector<int64_t> token_ids(const char* key) {
    std::vector<int64_t> ids;
    const Json* value = find(key);
    if (value == nullptr) return ids;
    const Json list = value->is_array() ? *value : Json::array({*value});
    for (const Json& id : list) {
      if (!id.is_number_integer()) {
        fail(fmt::format("\"{}\" is {}; expected a token id or a list of them", key, value->dump()));
      } else if (id.get<int64_t>() >= 0 && std::find(ids.begin(), ids.end(), id.get<int64_t>()) == ids.end()) {
        ids.push_back(id.get<int64_t>());
      }
    }
    return ids;
  }

  void fail(const std::string& what, ErrorCode code = ErrorCode::kInvalidArgument) {
    if (!failure_) failure_ = Error{code, fmt::format("{}: {}", where_, what)};
  }
  const std::optional<Error>& failure() const { return failure_; }
  const std::string& where() const { return where_; }

 private:
  const Json& body_;
  std::string where_;
  std::optional<Error> failure_;
};

std::string supported_list() {
  std::string list;
  for (const Family& f : kFamilies) list += (list.empty() ? "" : ", ") + std::string(f.architecture);
  return list;
}

const Family* find_family(Fields& fields, const std::string& outer_type) {
  std::string architecture;
  if (const Json* list = fields.find("architectures"); list != nullptr) {
    if (!list->is_array() || list->empty() || !list->front().is_string()) {
      fields.fail(fmt::format("\"architectures\" is {}; expected a list with one name", list->dump()));
      return nullptr;
    }
    architecture = list->front().get<std::string>();
    for (const Family& f : kFamilies) {
      if (architecture == f.architecture) return &f;
    }
    fields.fail(fmt::format("the architecture \"{}\" is unknown; supported are {}", architecture, supported_list()),
                ErrorCode::kUnsupported);
    return nullptr;
  }
  std::string type = fields.text("model_type");
  if (type.empty()) type = outer_type;
  if (type.empty()) {
    fields.fail("neither \"architectures\" nor \"model_type\" says what this model is");
    return nullptr;
  }
  for (const Family& f : kFamilies) {
    if (type == f.model_type) return &f;
  }
  fields.fail(fmt::format("the model type \"{}\" is unknown; supported are {}", type, supported_list()),
              ErrorCode::kUnsupported);
  return nullptr;
}

void parse_scaling(const Json& body, const char* key, ModelConfig& config, Fields& outer) {
  if (!body.is_object()) return outer.fail(fmt::format("\"{}\" is {}; expected an object", key, body.dump()));
  Fields fields(body, outer.where() + ": in \"" + key + "\"");
  std::string type = fields.text("rope_type");
  if (type.empty()) type = fields.text("type");
  RopeScaling& s = config.rope_scaling;
  if (fields.find("rope_theta") != nullptr) config.rope_theta = fields.number("rope_theta", 1e4, 1.0, 1e12);
  const int64_t positions = config.max_position_embeddings;
  if (type.empty() || type == "default") {
    s.kind = RopeScalingKind::kNone;
  } else if (type == "linear") {
    s.kind = RopeScalingKind::kLinear;
    s.factor = fields.number("factor", 1.0, 1.0, 1e6);
  } else if (type == "llama3") {
    s.kind = RopeScalingKind::kLlama3;
    s.factor = fields.number("factor", 1.0, 1.0, 1e6);
    s.low_freq_factor = fields.number("low_freq_factor", 1.0, 1e-3, 1e6);
    s.high_freq_factor = fields.number("high_freq_factor", 4.0, 1e-3, 1e6);
    s.original_max_positions = fields.size("original_max_position_embeddings", positions);
    if (s.high_freq_factor <= s.low_freq_factor) {
      fields.fail(fmt::format("\"high_freq_factor\" ({}) must be larger than \"low_freq_factor\" ({})",
                              s.high_freq_factor, s.low_freq_factor));
    }
  } else if (type == "yarn") {
    s.kind = RopeScalingKind::kYarn;
    s.factor = fields.number("factor", 1.0, 1.0, 1e6);
    s.beta_fast = fields.number("beta_fast", 32.0, 1e-3, 1e6);
    s.beta_slow = fields.number("beta_slow", 1.0, 1e-3, 1e6);
    s.attention_factor = fields.number("attention_factor", 0.0, 0.0, 1e3);
    s.truncate = fields.flag("truncate", true);
    s.original_max_positions = fields.size("original_max_position_embeddings", positions);
    if (fields.find("mscale") != nullptr || fields.find("mscale_all_dim") != nullptr) {
      fields.fail("\"mscale\" is not a part of yarn for these architectures", ErrorCode::kUnsupported);
    }
  } else {
    fields.fail(fmt::format("the type \"{}\" is not supported; supported are default, linear, llama3, yarn", type),
                ErrorCode::kUnsupported);
  }
  if (fields.failure()) outer.fail(fields.failure()->message.substr(outer.where().size() + 2), fields.failure()->code);
}

void parse_rope(const Json& body, ModelConfig& config, Fields& fields) {
  // Hugging Face says rope_theta, MLC position_embedding_base; transformers 5 puts all of it into rope_parameters.
  config.rope_theta = fields.number("position_embedding_base", 10000.0, 1.0, 1e12);
  config.rope_theta = fields.number("rope_theta", config.rope_theta, 1.0, 1e12);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (fields.find(key) != nullptr) return parse_scaling(body.at(key), key, config, fields);
  }
}

void parse_window(ModelConfig& config, Fields& fields) {
  const bool used =
      config.model_type == "qwen2" ? fields.flag("use_sliding_window", false) : config.model_type == "mistral";
  for (const char* key : {"sliding_window", "sliding_window_size"}) {
    const Json* value = fields.find(key);
    if (!used || value == nullptr || (value->is_number_integer() && *value == -1)) continue;
    config.sliding_window = fields.size(key);
  }
}

void parse_dtype(ModelConfig& config, Fields& fields) {
  std::string name = fields.text("dtype");
  if (name.empty() || fields.find("torch_dtype") != nullptr) name = fields.text("torch_dtype");
  if (name == "float16" || name == "torch.float16") config.dtype = DType::f16();
  if (name == "bfloat16" || name == "torch.bfloat16") config.dtype = DType::bf16();
}

void check_consistency(const ModelConfig& c, Fields& fields) {
  if (c.num_heads % c.num_kv_heads != 0) {
    fields.fail(fmt::format("\"num_attention_heads\" ({}) is not a multiple of \"num_key_value_heads\" ({})",
                            c.num_heads, c.num_kv_heads));
  }
  if (c.head_dim % 2 != 0)
    fields.fail(fmt::format("\"head_dim\" is {}; rotary embedding needs an even one", c.head_dim));
  const auto d = [](int64_t n) { return static_cast<double>(n); };
  const double layer = d(c.hidden_size) * (d(c.num_heads) + 2 * d(c.num_kv_heads)) * d(c.head_dim) +
                       d(c.hidden_size) * d(c.num_heads) * d(c.head_dim) +
                       3 * d(c.hidden_size) * d(c.intermediate_size);
  const double total = d(c.num_layers) * layer + 2 * d(c.vocab_size) * d(c.hidden_size);
  if (total > kMaxParameters) {
    fields.fail(
        fmt::format("these sizes make {:.3g} parameters; more than {:.3g} cannot be real (hidden_size {}, "
                    "intermediate_size {}, num_hidden_layers {}, vocab_size {})",
                    total, kMaxParameters, c.hidden_size, c.intermediate_size, c.num_layers, c.vocab_size));
  }
  for (int64_t id : c.eos_token_ids) {
    if (id >= c.vocab_size) {
      fields.fail(fmt::format("\"eos_token_id\" {} is outside the vocabulary of {}", id, c.vocab_size));
    }
  }
}

}  // namespace

const std::vector<std::string>& supported_architectures() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Family& f : kFamilies) list.emplace_back(f.architecture);
    return list;
  }();
  return names;
}

int64_t ModelConfig::context_limit() const {
  return sliding_window > 0 ? std::min(sliding_window, max_position_embeddings) : max_position_embeddings;
}

int64_t ModelConfig::num_parameters() const {
  int64_t layer = hidden_size * qkv_size() + q_size() * hidden_size + 3 * hidden_size * intermediate_size;
  layer += 2 * hidden_size + (qkv_bias ? qkv_size() : 0) + (o_bias ? hidden_size : 0);
  if (mlp_bias) layer += 2 * intermediate_size + hidden_size;
  return num_layers * layer + (tie_word_embeddings ? 1 : 2) * vocab_size * hidden_size + hidden_size;
}

Result<ModelConfig> parse_model_config(const Json& body, const std::string& where, const std::string& model_type) {
  if (!body.is_object()) return error(ErrorCode::kCorrupt, "{}: expected a JSON object", where);
  Fields fields(body, where);
  const Family* family = find_family(fields, model_type);
  if (family == nullptr) return *fields.failure();
  ModelConfig c;
  c.architecture = family->architecture;
  c.model_type = family->model_type;
  c.hidden_size = fields.size("hidden_size");
  c.intermediate_size = fields.size("intermediate_size");
  c.num_layers = fields.size("num_hidden_layers");
  c.num_heads = fields.size("num_attention_heads");
  c.num_kv_heads = fields.size("num_key_value_heads", c.num_heads);
  c.vocab_size = fields.size("vocab_size");
  if (fields.find("head_dim") != nullptr) {
    c.head_dim = fields.size("head_dim");
  } else if (c.hidden_size % c.num_heads != 0) {
    fields.fail(
        fmt::format("\"hidden_size\" ({}) is not a multiple of \"num_attention_heads\" ({}), and there is no "
                    "\"head_dim\"",
                    c.hidden_size, c.num_heads));
  } else {
    c.head_dim = c.hidden_size / c.num_heads;
  }
  // In a model_config of MLC, max_position_embeddings may be missing: its context_window_size stands for it.
  int64_t positions = family->default_positions;
  if (const Json* window = fields.find("context_window_size"); window != nullptr && window->is_number_integer()) {
    if (window->get<int64_t>() > 0) positions = fields.size("context_window_size");
  }
  c.max_position_embeddings = fields.size("max_position_embeddings", positions);
  c.rms_norm_eps = fields.number("rms_norm_eps", 1e-6, 0.0, 1.0);
  c.tie_word_embeddings = fields.flag("tie_word_embeddings", false);
  const bool attention_bias = fields.flag("attention_bias", false);
  c.qkv_bias = family->model_type == std::string_view("qwen2") || attention_bias;
  c.o_bias = attention_bias && family->model_type != std::string_view("qwen2");
  c.mlp_bias = fields.flag("mlp_bias", false);
  if (const std::string act = fields.text("hidden_act"); !act.empty() && act != "silu" && act != "swish") {
    fields.fail(fmt::format("\"hidden_act\" is \"{}\"; supported is silu", act), ErrorCode::kUnsupported);
  }
  parse_rope(body, c, fields);
  parse_window(c, fields);
  parse_dtype(c, fields);
  if (auto ids = fields.token_ids("bos_token_id"); !ids.empty()) c.bos_token_id = ids[0];
  if (auto ids = fields.token_ids("pad_token_id"); !ids.empty()) c.pad_token_id = ids[0];
  c.eos_token_ids = fields.token_ids("eos_token_id");
  check_consistency(c, fields);
  if (fields.failure()) return *fields.failure();
  return c;
}

Result<ModelConfig> load_model_config(const std::string& dir_or_file) {
  std::string path = dir_or_file;
  if (is_directory(path)) {
    path = join_path(dir_or_file, "config.json");
    if (!path_exists(path)) path = join_path(dir_or_file, "mlc-chat-config.json");
    if (!path_exists(path)) {
      return error(ErrorCode::kNotFound,
                   "{}: holds neither config.json nor mlc-chat-config.json; expected a model "
                   "directory",
                   dir_or_file);
    }
  }
  MLC_TRY(Json body, read_json_file(path));
  if (!body.is_object() || !body.contains("model_config")) return parse_model_config(body, path);
  // mlc-chat-config.json: the special tokens stand beside the model_config.
  Json inner = body["model_config"];
  if (!inner.is_object()) return error(ErrorCode::kCorrupt, "{}: \"model_config\" is not an object", path);
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (body.contains(key) && !inner.contains(key)) inner[key] = body[key];
  }
  const Json type = body.value("model_type", Json(""));
  return parse_model_config(inner, path, type.is_string() ? type.get<std::string>() : "");
}

OrderedJson model_config_json(const ModelConfig& c, int64_t context_window_size, int64_t prefill_chunk_size,
                              int64_t max_batch_size) {
  OrderedJson j;
  j["hidden_size"] = c.hidden_size;
  j["intermediate_size"] = c.intermediate_size;
  j["num_attention_heads"] = c.num_heads;
  j["num_hidden_layers"] = c.num_layers;
  j["rms_norm_eps"] = c.rms_norm_eps;
  j["vocab_size"] = c.vocab_size;
  j["tie_word_embeddings"] = c.tie_word_embeddings;
  j[c.model_type == "qwen2" ? "rope_theta" : "position_embedding_base"] = c.rope_theta;
  const RopeScaling& s = c.rope_scaling;
  OrderedJson scaling;
  switch (s.kind) {
    case RopeScalingKind::kNone:
      break;
    case RopeScalingKind::kLinear:
      scaling = {{"rope_type", "linear"}, {"factor", s.factor}};
      break;
    case RopeScalingKind::kLlama3:
      scaling = {{"factor", s.factor},
                 {"high_freq_factor", s.high_freq_factor},
                 {"low_freq_factor", s.low_freq_factor},
                 {"original_max_position_embeddings", s.original_max_positions},
                 {"rope_type", "llama3"}};
      break;
    case RopeScalingKind::kYarn:
      scaling = {{"rope_type", "yarn"},      {"factor", s.factor},
                 {"beta_fast", s.beta_fast}, {"beta_slow", s.beta_slow},
                 {"truncate", s.truncate},   {"original_max_position_embeddings", s.original_max_positions}};
      if (s.attention_factor > 0) scaling["attention_factor"] = s.attention_factor;
      break;
  }
  j["rope_scaling"] = scaling;
  j["context_window_size"] = context_window_size;
  j["prefill_chunk_size"] = prefill_chunk_size;
  j["num_key_value_heads"] = c.num_kv_heads;
  j["head_dim"] = c.head_dim;
  j["tensor_parallel_shards"] = 1;
  j["pipeline_parallel_stages"] = 1;
  j["max_batch_size"] = max_batch_size;
  j["max_position_embeddings"] = c.max_position_embeddings;
  if (c.model_type == "qwen2") {
    j["hidden_act"] = "silu";
    j["use_sliding_window"] = c.sliding_window > 0;
    if (c.sliding_window > 0) j["sliding_window"] = c.sliding_window;
  } else {
    j["attention_bias"] = c.o_bias;
    j["mlp_bias"] = c.mlp_bias;
  }
  if (c.model_type == "mistral") j["sliding_window_size"] = c.sliding_window > 0 ? c.sliding_window : -1;
  return j;
}

namespace {

// https://arxiv.org/abs/2309.00071; the defaults and the float32 steps follow transformers' modeling_rope_utils.
void apply_yarn(const ModelConfig& c, RopeFrequencies& rope) {
  const RopeScaling& s = c.rope_scaling;
  const auto dim = static_cast<double>(c.head_dim);
  const auto correction_dim = [&](double rotations) {
    return dim * std::log(static_cast<double>(s.original_max_positions) / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(c.rope_theta));
  };
  double low = correction_dim(s.beta_fast);
  double high = correction_dim(s.beta_slow);
  if (s.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < rope.inv_freq.size(); ++i) {
    const float ramp =
        std::clamp((static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0f, 1.0f);
    const float extrapolated = rope.inv_freq[i];
    const float interpolated = extrapolated / static_cast<float>(s.factor);
    rope.inv_freq[i] = interpolated * ramp + extrapolated * (1.0f - ramp);
  }
  rope.attention_scaling = static_cast<float>(s.attention_factor > 0 ? s.attention_factor
                                              : s.factor > 1         ? 0.1 * std::log(s.factor) + 1.0
                                                                     : 1.0);
}

void apply_llama3(const RopeScaling& s, RopeFrequencies& rope) {
  const auto positions = static_cast<float>(s.original_max_positions);
  const auto low = static_cast<float>(s.low_freq_factor);
  const auto high = static_cast<float>(s.high_freq_factor);
  const auto factor = static_cast<float>(s.factor);
  for (float& f : rope.inv_freq) {
    const float wavelength = 2.0f * std::numbers::pi_v<float> / f;
    if (wavelength < positions / high) continue;
    if (wavelength > positions / low) {
      f /= factor;
      continue;
    }
    const float smooth = (positions / wavelength - low) / (high - low);
    f = (1.0f - smooth) * (f / factor) + smooth * f;
  }
}

}  // namespace

RopeFrequencies compute_rope(const ModelConfig& config) {
  RopeFrequencies rope;
  for (int64_t i = 0; i < config.head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
    rope.inv_freq.push_back(1.0f / std::pow(static_cast<float>(config.rope_theta), exponent));
  }
  const RopeScaling& s = config.rope_scaling;
  switch (s.kind) {
    case RopeScalingKind::kNone:
      break;
    case RopeScalingKind::kLinear:
      for (float& f : rope.inv_freq) f /= static_cast<float>(s.factor);
      break;
    case RopeScalingKind::kLlama3:
      apply_llama3(s, rope);
      break;
    case RopeScalingKind::kYarn:
      apply_yarn(config, rope);
      break;
  }
  return rope;
}

}  // namespace mlc::model
