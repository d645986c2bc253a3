#include "weights/open.h"

#include <filesystem>

#include "weights/mlc_shards.h"
#include "weights/safetensors.h"

namespace mlc::weights {

WeightFormat detect_weights(const std::string& dir) {
  if (!find_mlc_index(dir).empty()) return WeightFormat::kMlc;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(dir, ec)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors") || name == "model.safetensors.index.json") return WeightFormat::kSafetensors;
  }
  return WeightFormat::kNone;
}

Result<std::unique_ptr<TensorSource>> open_weights(const std::string& dir) {
  return detect_weights(dir) == WeightFormat::kMlc ? open_mlc_shards(dir) : open_safetensors_dir(dir);
}

}  // namespace mlc::weights
