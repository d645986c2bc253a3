// The list of architectures: one file of this folder each, which reads as the model's forward pass.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "model/builder.h"
#include "model/config.h"

namespace mlc::model {

struct Architecture {
  std::string name;                            // as in config.json's "architectures"
  graph::ValueId (*forward)(GraphBuilder& b);  // returns the logits
};
const std::vector<Architecture>& architectures();

graph::ValueId llama_forward(GraphBuilder& b);  // Llama 1-3.x, TinyLlama, SmolLM, Mistral without window
graph::ValueId qwen2_forward(GraphBuilder& b);  // Qwen2 and Qwen2.5: biases on q, k and v

// The forward pass of one engine step. kv_dtype: how keys and values are stored.
Result<graph::Graph> build_graph(const ModelConfig& config, const std::string& scheme, DType kv_dtype);

}  // namespace mlc::model
