// A model's library, compiled once per model, options, machine and build of this program.
//
//   MLC_TRY(std::string lib, cached_library(cache, config, "q4f16_1", options));
#pragma once

#include <string>

#include "artifact/cache.h"
#include "base/result.h"
#include "compiler/compile.h"

namespace mlc::compiler {

// From the cache if it is there and whole, else compiled into it.
Result<std::string> cached_library(const artifact::Cache& cache, const model::ModelConfig& config,
                                   const std::string& scheme, const CompileOptions& options);

}  // namespace mlc::compiler
