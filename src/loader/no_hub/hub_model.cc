// A program without downloads (MLC_HUB=OFF): models are directories.
#include "loader/hub_model.h"

namespace mlc::loader {

const char* const kModelHelp = "Hugging Face directory or MLC model directory";

Result<std::string> local_model(const std::string& model, Weights) {
  for (const char* prefix : {"HF://", "http://", "https://"}) {
    if (model.starts_with(prefix)) {
      return error(ErrorCode::kUnsupported, "{} cannot be downloaded: this program was built without downloads", model);
    }
  }
  return model;
}

}  // namespace mlc::loader
