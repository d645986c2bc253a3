// Models by name: what a command's model argument means, as a directory on this machine.
//
//   MLC_TRY(std::string dir, local_model("HF://Qwen/Qwen2-0.5B", Weights::kNeeded));   // downloads it, or finds it
//   MLC_TRY(std::string dir, local_model("models/demo", Weights::kNeeded));            // "models/demo"
//
// A build without downloads (MLC_HUB=OFF) has loader/no_hub/ in place of loader/hub/: names of hubs are refused there.
#pragma once

#include <string>

#include "base/result.h"

namespace mlc::loader {

enum class Weights { kNeeded, kNotNeeded };

// Names that are no hub's come back as they are. Shows the progress of a download on standard error.
Result<std::string> local_model(const std::string& model, Weights weights);

// How --help says it.
extern const char* const kModelHelp;

}  // namespace mlc::loader
