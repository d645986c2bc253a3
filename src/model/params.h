// Which parameters a model has, under MLC LLM's names, and which Hugging Face tensors each is made of.
//
//   for (const ParamRule& p : param_rules(config)) ...
//   // model.layers.0.self_attn.qkv_proj: matrix [q + 2 kv, hidden] <- q_proj.weight, k_proj.weight, v_proj.weight
//   auto specs = stored_tensors(config, scheme);   // model.layers.0.self_attn.qkv_proj.q_weight u32 [...], .q_scale
//   ...
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/config.h"
#include "quant/scheme.h"
#include "weights/synthetic.h"
#include "weights/tensor_source.h"

namespace mlc::model {

struct ParamSource {
  std::string name;         // the Hugging Face tensor
  std::string alternative;  // taken when `name` is not there; empty for none
  std::vector<int64_t> shape;
};

struct ParamRule {
  // Of a matrix: without ".weight", because a scheme adds its own endings. Of a vector: the whole name.
  std::string name;
  bool is_matrix = false;
  int64_t n = 0;                     // rows, or elements of a vector
  int64_t k = 0;                     // columns; 0 for a vector
  std::vector<ParamSource> sources;  // concatenated along the rows
};

// In the order of the forward pass.
std::vector<ParamRule> param_rules(const ModelConfig& config);

// The tensors of an MLC model directory.
std::vector<weights::TensorInfo> stored_tensors(const ModelConfig& config, const quant::Scheme& scheme);

// Fails with the first tensor that is missing or has another dtype or shape than the config and the scheme ask for.
Result<void> check_stored_tensors(const weights::TensorSource& source, const ModelConfig& config,
                                  const quant::Scheme& scheme);

// Random weights: a Hugging Face checkpoint in f32 (goldens, tests), or directly the tensors of a quantized model
// (benchmarks), with codes and scales drawn so that activations stay near 1. See weights/synthetic.h.
std::unique_ptr<weights::TensorSource> synthetic_checkpoint(const ModelConfig& config, uint64_t seed);
std::unique_ptr<weights::TensorSource> synthetic_model(const ModelConfig& config, const quant::Scheme& scheme,
                                                       uint64_t seed);

}  // namespace mlc::model
