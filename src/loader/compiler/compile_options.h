// From the flags of a command to the options of the compiler.
#pragma once

#include <memory>
#include <string>

#include "compiler/compile.h"
#include "loader/model_dir.h"

namespace mlc::loader {

// "auto" and "cpu" (also "cpu:0") are this machine's CPU; anything else is refused by name.
Result<target::Target> resolve_device(const ModelOptions& flags);
Result<int> resolve_opt_level(const std::string& opt);
Result<graph::Activation> resolve_activation(const std::string& name);
// "auto": tuning.jsonl in the cache's directory if it is there, where damaged lines are left out with a warning;
// "none"; or a file, which must be whole. Null: none.
Result<std::shared_ptr<const compiler::TuningDatabase>> open_tuning(const std::string& tuning_db);
std::string default_tuning_path();
Result<compiler::CompileOptions> compile_options(const ModelOptions& flags);

}  // namespace mlc::loader
