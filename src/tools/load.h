// A model, loaded and served by an engine: what chat and serve have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "protocol/served_model.h"
#include "tools/model_dir.h"

namespace mlc::tools {

struct LoadFlags {
  ModelFlags model;
  std::string chat_template;              // --chat-template FILE; empty: the model's
  std::string system_prompt;              // --system-prompt
  std::string tool_call_parser = "auto";  // --tool-call-parser
  std::string reasoning_parser = "auto";  // --reasoning-parser
  std::string served_model_name;          // --served-model-name; empty: the model argument
  bool mlock = false;                     // --mlock
  std::string mode = "local";             // local, interactive or server: how many sequences at once
  int64_t max_num_sequence = 0;           // 0: by mode
  int64_t max_total_tokens = 0;           // 0: by mode and memory
  bool prefix_cache = true;
  int64_t max_recycled = -1;                   // ended sequences whose pages the prefix cache keeps; -1: no limit
  bool mix_prefill = true;                     // --prefill-mode hybrid
  std::string speculative_mode = "disable";    // disable, ngram or small_draft
  std::vector<std::string> additional_models;  // PATH or PATH,LIB: the draft model
  int64_t spec_draft_length = 0;               // 0: adaptive
  double memory_share = 0;                     // --gpu-memory-utilization; 0: the default
  bool enable_tracing = false;                 // --enable-tracing
};

// The flags of LoadFlags that every command with an engine has.
// The model argument, required; `names`: what it is called.
CLI::Option* add_load_flags(CLI::App& app, LoadFlags& flags, const std::string& names = "model");

// --tool-call-parser and --reasoning-parser, for commands that serve an API.
void add_answer_flags(CLI::App& app, LoadFlags& flags);

// Converts, compiles and packs as needed, with progress on standard error; then starts the engine.
Result<protocol::ServedModel> load_model(const LoadFlags& flags);

}  // namespace mlc::tools
