// Graph construction out of shared blocks: what the files of arch/ are written in.
//
//   GraphBuilder b(config, "q4f16_1");
//   ValueId x = b.embedding("model.embed_tokens");
//   x = b.add(x, b.linear(b.rms_norm(x, "model.norm"), "…", n));
//   MLC_TRY(Graph g, b.finish());
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "graph/graph.h"
#include "model/config.h"

namespace mlc::model {

class GraphBuilder {
 public:
  GraphBuilder(const ModelConfig& config, std::string scheme, DType kv_dtype);

  const ModelConfig& config() const { return config_; }

  // The rows of `prefix`.weight named by token_ids: f32 [T, hidden].
  graph::ValueId embedding(const std::string& prefix);
  // Root mean square normalization of all columns with weight `prefix`.weight.
  graph::ValueId rms_norm(graph::ValueId x, const std::string& prefix);
  // x W^T (+ bias): `prefix`.weight is [n, k].
  graph::ValueId linear(graph::ValueId x, const std::string& prefix, int64_t n, int64_t k, bool bias = false);
  graph::ValueId add(graph::ValueId a, graph::ValueId b, const std::string& name);
  graph::ValueId silu_mul(graph::ValueId gate_up, int64_t n, const std::string& name);
  // Rotary embedding, append to the cache of `layer`, causal attention: f32 [T, heads * head_dim].
  graph::ValueId attention(graph::ValueId qkv, int64_t layer, const std::string& name);
  // The rows whose logits are wanted.
  graph::ValueId take_logit_rows(graph::ValueId x);
  void mark_output(graph::ValueId id, const std::string& name);  // beside the logits
  // Declares x [R, vocab] to be the step's logits and returns the graph, or the first error met on the way.
  Result<graph::Graph> finish(graph::ValueId logits);

 private:
  std::shared_ptr<const quant::PackedLinear> weight(const std::string& prefix, int64_t n, int64_t k);
  std::vector<graph::ValueId> weight_params(const quant::PackedLinear& w);

  ModelConfig config_;
  std::string scheme_;
  DType dtype_;  // of what the scheme does not quantize
  DType kv_dtype_;
  graph::Graph g_;
  std::map<std::string, graph::ValueId> inputs_;
  std::map<std::string, std::shared_ptr<const quant::PackedLinear>> weights_;
  Result<void> status_;
};

}  // namespace mlc::model
