// From a model directory to a running engine: what chat, serve and the C library have in common.
//
//   LoadOptions options;
//   options.model.model = "models/demo";
//   MLC_TRY(protocol::ServedModel model, load_model(options));     // converts, compiles and packs what is not cached
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "loader/model_dir.h"
#include "protocol/served_model.h"

namespace mlc::loader {

struct LoadOptions {
  ModelOptions model;
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

// Converts, compiles and packs as needed, with progress on standard error; then starts the engine.
Result<protocol::ServedModel> load_model(const LoadOptions& flags);

}  // namespace mlc::loader
