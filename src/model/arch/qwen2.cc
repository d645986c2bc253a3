// Qwen2 and Qwen2.5: Llama's graph with biases on q, k and v (ModelConfig::qkv_bias) and MLC LLM's parameter name for
// the fused projection.
#include "model/arch/arch.h"
#include "model/blocks/decoder.h"

namespace mlc::model {

graph::ValueId qwen2_forward(GraphBuilder& b) { return decoder_forward(b, {"self_attn.c_attn"}); }

}  // namespace mlc::model
