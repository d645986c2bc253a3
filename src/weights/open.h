// The weights of a model directory, whichever format it holds.
//
//   MLC_TRY(std::unique_ptr<TensorSource> source, open_weights("/models/llama-3.2-1b"));
#pragma once

#include <memory>
#include <string>

#include "weights/tensor_source.h"

namespace mlc::weights {

enum class WeightFormat { kNone, kMlc, kSafetensors };

// By the files that are there: an MLC index wins over safetensors.
WeightFormat detect_weights(const std::string& dir);
Result<std::unique_ptr<TensorSource>> open_weights(const std::string& dir);

}  // namespace mlc::weights
