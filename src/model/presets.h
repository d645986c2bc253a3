// Model shapes known by name, for benchmarks and for compiling without a checkpoint.
//
//   MLC_TRY(ModelConfig c, preset_config("llama-3.2-1b"));   // the same as "llama3_2_1b"
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "model/config.h"

namespace mlc::model {

// As in the data file, sorted.
std::vector<std::string> preset_names();
// Case, '-', '_', '.' do not matter. Unknown names get an error that lists the close ones.
Result<Json> preset_json(const std::string& name);  // a config.json body
Result<ModelConfig> preset_config(const std::string& name);

}  // namespace mlc::model
