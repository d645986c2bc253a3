// Models by name: what a command's model argument means, as a directory on this machine.
//
//   MLC_TRY(std::string dir, local_model("HF://Qwen/Qwen2-0.5B", Weights::kNeeded));   // downloads it, or finds it
//   MLC_TRY(std::string dir, local_model("models/demo", Weights::kNeeded));            // "models/demo"
#pragma once

#include <string>

#include "base/result.h"

namespace mlc::loader {

enum class Weights { kNeeded, kNotNeeded };

// Names that are no hub's come back as they are. Shows the progress of a download on standard error.
Result<std::string> local_model(const std::string& model, Weights weights);

// How --help says it.
inline constexpr const char* kModelHelp =
    "Hugging Face directory, MLC model directory, or HF://USER/REPO[@REVISION], which is downloaded";

}  // namespace mlc::loader
