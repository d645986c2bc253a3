// Merges a LoRA adapter (Hu et al. 2021, https://arxiv.org/abs/2106.09685; files as PEFT writes them) into a checkpoint
// while it is read: W' = W + scale * B A, with scale = alpha / rank, or alpha / sqrt(rank) for rank-stabilized
// adapters.
//
//   MLC_TRY(auto base, weights::open_weights("/models/llama"));
//   MLC_TRY(auto merged, merge_lora(std::move(base), "/adapters/poet"));   // adapter_config.json,
//   adapter_model.safetensors MLC_TRY(auto report, convert(*merged, config, scheme, "out"));
#pragma once

#include <memory>
#include <string>

#include "weights/tensor_source.h"

namespace mlc::model {

// Merged tensors are f32; all others are passed through, still mapped. Refused, with the reason: DoRA and other kinds
// of adapters, trained biases, tensors that are no LoRA pair of a tensor of the base, pairs whose shapes do not fit.
Result<std::unique_ptr<weights::TensorSource>> merge_lora(std::unique_ptr<weights::TensorSource> base,
                                                          const std::string& adapter_dir);

}  // namespace mlc::model
