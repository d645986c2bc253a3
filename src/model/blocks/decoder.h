// The pre-norm decoder that Llama and its relatives share (Touvron et al. 2023).
#pragma once

#include <string>

#include "model/builder.h"

namespace mlc::model {

// What differs between the relatives: the name of the fused q, k, v projection in the model directory.
struct DecoderNames {
  std::string qkv;  // "self_attn.qkv_proj"
};

// Token ids to logits: embedding, num_layers x (attention, gated MLP), final norm, output projection.
graph::ValueId decoder_forward(GraphBuilder& b, const DecoderNames& names);

}  // namespace mlc::model
