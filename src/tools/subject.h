// What is compiled or tuned when no weights are needed: a model's shape and scheme.
#pragma once

#include <string>

#include "base/result.h"
#include "model/config.h"

namespace mlc::tools {

struct Subject {
  model::ModelConfig config;
  std::string scheme;
  int64_t context_window_size = 0;  // 0: the model's
};

// `model`: a directory with mlc-chat-config.json or config.json, such a file, the name of a
// hub's model (HF://…, of which everything but the weights is downloaded), or the name of a preset. `quantization`
// may be empty where the directory names its scheme.
Result<Subject> find_subject(const std::string& model, const std::string& quantization);

}  // namespace mlc::tools
