#include "model/blocks/decoder.h"

namespace mlc::model {
namespace {

using graph::ValueId;

ValueId attention_block(GraphBuilder& b, ValueId x, int64_t layer, const std::string& prefix,
                        const DecoderNames& names) {
  const ModelConfig& c = b.config();
  ValueId h = b.rms_norm(x, prefix + "input_layernorm");
  h = b.linear(h, prefix + names.qkv, c.qkv_size(), c.hidden_size, c.qkv_bias);
  h = b.attention(h, layer, prefix + "self_attn");
  h = b.linear(h, prefix + "self_attn.o_proj", c.hidden_size, c.q_size(), c.o_bias);
  return b.add(h, x, prefix + "attention_residual");
}

ValueId mlp_block(GraphBuilder& b, ValueId x, const std::string& prefix) {
  const ModelConfig& c = b.config();
  ValueId h = b.rms_norm(x, prefix + "post_attention_layernorm");
  h = b.linear(h, prefix + "mlp.gate_up_proj", 2 * c.intermediate_size, c.hidden_size, c.mlp_bias);
  h = b.silu_mul(h, c.intermediate_size, prefix + "mlp.silu");
  h = b.linear(h, prefix + "mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias);
  return b.add(h, x, prefix + "mlp_residual");
}

}  // namespace

ValueId decoder_forward(GraphBuilder& b, const DecoderNames& names) {
  const ModelConfig& c = b.config();
  ValueId x = b.embedding("model.embed_tokens");
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    x = attention_block(b, x, layer, prefix, names);
    x = mlp_block(b, x, prefix);
  }
  x = b.rms_norm(b.take_logit_rows(x), "model.norm");
  b.mark_output(x, "hidden");  // what embeddings are made of
  return b.linear(x, c.tie_word_embeddings ? "model.embed_tokens" : "lm_head", c.vocab_size, c.hidden_size);
}

}  // namespace mlc::model
