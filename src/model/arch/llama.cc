// Llama 1 to 3.x and what shares its graph: TinyLlama, SmolLM, Mistral without sliding window.
#include "model/arch/arch.h"
#include "model/blocks/decoder.h"

namespace mlc::model {

graph::ValueId llama_forward(GraphBuilder& b) { return decoder_forward(b, {"self_attn.qkv_proj"}); }

}  // namespace mlc::model
