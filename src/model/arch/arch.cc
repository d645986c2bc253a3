#include "model/arch/arch.h"

namespace mlc::model {

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> list = {
      {"LlamaForCausalLM", llama_forward},
      {"MistralForCausalLM", llama_forward},
      {"Qwen2ForCausalLM", qwen2_forward},
  };
  return list;
}

Result<graph::Graph> build_graph(const ModelConfig& config, const std::string& scheme, DType kv_dtype) {
  for (const Architecture& a : architectures()) {
    if (a.name != config.architecture) continue;
    GraphBuilder b(config, scheme, kv_dtype);
    return b.finish(a.forward(b));
  }
  return error(ErrorCode::kUnsupported, "the architecture \"{}\" is not supported", config.architecture);
}

}  // namespace mlc::model
