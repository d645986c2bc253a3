// The flags that fill loader::LoadOptions.
//
//   auto o = std::make_shared<loader::LoadOptions>();
//   add_load_flags(app, *o);
#pragma once

#include <CLI/CLI.hpp>

#include "loader/load.h"

namespace mlc::tools {

// The flags that every command with an engine has. Returns the model argument, which is required; `names`: what it is
// called.
CLI::Option* add_load_flags(CLI::App& app, loader::LoadOptions& flags, const std::string& names = "model");

// --tool-call-parser and --reasoning-parser, for commands that serve an API.
void add_answer_flags(CLI::App& app, loader::LoadOptions& flags);

void add_threads_flag(CLI::App& app, loader::ModelOptions& flags);

// --device, --target, --threads … for commands that compile.
void add_compile_flags(CLI::App& app, loader::ModelOptions& flags);

}  // namespace mlc::tools
