#include "model/params.h"

#include <cmath>

namespace mlc::model {
namespace {

class RuleList {
 public:
  void vector(const std::string& name, int64_t n, std::vector<ParamSource> sources = {}) {
    if (sources.empty()) sources = {{name, "", {n}}};
    rules_.push_back({name, false, n, 0, std::move(sources)});
  }

  // `sources`: (Hugging Face module, rows), concatenated.
  void linear(const std::string& name, int64_t k, const std::vector<std::pair<std::string, int64_t>>& modules,
              bool bias) {
    ParamRule w{name, true, 0, k, {}};
    std::vector<ParamSource> biases;
    for (const auto& [module, rows] : modules) {
      w.n += rows;
      w.sources.push_back({module + ".weight", "", {rows, k}});
      biases.push_back({module + ".bias", "", {rows}});
    }
    const int64_t n = w.n;
    rules_.push_back(std::move(w));
    if (bias) vector(name + ".bias", n, std::move(biases));
  }

  ParamRule& last() { return rules_.back(); }
  std::vector<ParamRule> take() { return std::move(rules_); }

 private:
  std::vector<ParamRule> rules_;
};

}  // namespace

std::vector<ParamRule> param_rules(const ModelConfig& c) {
  RuleList list;
  list.linear("model.embed_tokens", c.hidden_size, {{"model.embed_tokens", c.vocab_size}}, false);
  // Tied models may be saved under either name.
  if (c.tie_word_embeddings) list.last().sources[0].alternative = "lm_head.weight";
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    const std::string p = "model.layers." + std::to_string(layer) + ".";
    list.vector(p + "input_layernorm.weight", c.hidden_size);
    list.linear(p + (c.model_type == "qwen2" ? "self_attn.c_attn" : "self_attn.qkv_proj"), c.hidden_size,
                {{p + "self_attn.q_proj", c.q_size()},
                 {p + "self_attn.k_proj", c.kv_size()},
                 {p + "self_attn.v_proj", c.kv_size()}},
                c.qkv_bias);
    list.linear(p + "self_attn.o_proj", c.q_size(), {{p + "self_attn.o_proj", c.hidden_size}}, c.o_bias);
    list.vector(p + "post_attention_layernorm.weight", c.hidden_size);
    list.linear(p + "mlp.gate_up_proj", c.hidden_size,
                {{p + "mlp.gate_proj", c.intermediate_size}, {p + "mlp.up_proj", c.intermediate_size}}, c.mlp_bias);
    list.linear(p + "mlp.down_proj", c.intermediate_size, {{p + "mlp.down_proj", c.hidden_size}}, c.mlp_bias);
  }
  list.vector("model.norm.weight", c.hidden_size);
  if (!c.tie_word_embeddings) list.linear("lm_head", c.hidden_size, {{"lm_head", c.vocab_size}}, false);
  return list.take();
}

std::vector<weights::TensorInfo> stored_tensors(const ModelConfig& config, const quant::Scheme& scheme) {
  std::vector<weights::TensorInfo> list;
  for (const ParamRule& p : param_rules(config)) {
    if (!p.is_matrix) {
      list.push_back({p.name, scheme.model_dtype(), {p.n}});
      continue;
    }
    for (const quant::Part& part : scheme.parts(p.n, p.k))
      list.push_back({p.name + part.suffix, part.dtype, part.shape});
  }
  return list;
}

Result<void> check_stored_tensors(const weights::TensorSource& source, const ModelConfig& config,
                                  const quant::Scheme& scheme) {
  for (const weights::TensorInfo& want : stored_tensors(config, scheme)) {
    const weights::TensorInfo* have = source.find(want.name);
    if (have == nullptr) {
      return error(ErrorCode::kCorrupt, "{}: the tensor \"{}\" is missing; a {} model in {} needs it", source.where(),
                   want.name, config.model_type, scheme.name());
    }
    if (have->dtype != want.dtype || have->shape != want.shape) {
      return error(ErrorCode::kCorrupt, "{}: the tensor \"{}\" is {}; a {} model of this size in {} needs {}",
                   source.where(), want.name, have->str(), config.model_type, scheme.name(), want.str());
    }
  }
  return {};
}

std::unique_ptr<weights::TensorSource> synthetic_checkpoint(const ModelConfig& config, uint64_t seed) {
  std::vector<weights::SyntheticSpec> specs;
  for (const ParamRule& p : param_rules(config)) {
    for (const ParamSource& s : p.sources) {
      specs.push_back({{s.name, DType::f32(), s.shape}, weights::default_fill(s.name, s.shape)});
    }
  }
  return std::make_unique<weights::SyntheticSource>(std::move(specs), seed);
}

std::unique_ptr<weights::TensorSource> synthetic_model(const ModelConfig& config, const quant::Scheme& scheme,
                                                       uint64_t seed) {
  std::vector<weights::SyntheticSpec> specs;
  for (const ParamRule& p : param_rules(config)) {
    if (!p.is_matrix) {
      specs.push_back({{p.name, scheme.model_dtype(), {p.n}}, weights::default_fill(p.name, {p.n})});
      continue;
    }
    // Codes of 4 bits are uniform over 0 ... 14 with 7 twice, standard deviation sqrt(17.5); of 8 bits, sqrt(5376).
    const double deviation = scheme.bits() == 4 ? std::sqrt(17.5) : std::sqrt(5376.0);
    const double scale = 1.0 / (deviation * std::sqrt(static_cast<double>(p.k)));
    for (const quant::Part& part : scheme.parts(p.n, p.k)) {
      weights::Fill fill = weights::default_fill(p.name + part.suffix, part.shape);
      if (part.suffix == ".q_weight") fill = scheme.bits() == 4 ? weights::Fill::codes4() : weights::Fill::codes8();
      if (part.suffix == ".q_scale") fill = weights::Fill::uniform(scale, scale * 0.2);
      specs.push_back({{p.name + part.suffix, part.dtype, part.shape}, fill});
    }
  }
  return std::make_unique<weights::SyntheticSource>(std::move(specs), seed);
}

}  // namespace mlc::model
