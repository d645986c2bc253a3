// What to measure: one model with its phases, from flags or from a suite file.
//
// A suite is a JSON array of objects, measured one after the other:
//   [{"preset": "llama-3.2-1b", "quantization": "q4f16_1", "prompt_lengths": [512], "batch": [1, 4, 8, 16]},
//    {"model": "models/demo", "depth": [0, 128], "generate": 32, "threads": 1}]
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "loader/model_dir.h"

namespace mlc::tools::bench {

enum class PhaseKind { kPrefill, kDecode, kBatch };

struct Phase {
  PhaseKind kind = PhaseKind::kPrefill;
  int64_t tokens = 0;     // prefill: rows computed; decode and batch: steps
  int64_t depth = 0;      // tokens in the cache before it
  int64_t sequences = 1;  // decoded together
  int64_t total_tokens() const { return tokens * sequences; }
  std::string label() const;  // "prefill 512", "decode at 4096", "decode 8 x at 0"
  bool operator==(const Phase&) const = default;
};

struct Spec {
  std::string name;            // of this measurement in a suite's reports; empty: the model's
  loader::ModelOptions flags;  // flags.model: a directory
  std::string preset;          // or a shape with random weights
  bool synthetic = false;
  std::vector<int64_t> prompt_lengths;  // empty: 512, or what fits; 0: no prefill
  std::vector<int64_t> depths = {0};    // each phase is measured behind each
  std::vector<int64_t> batches;         // sequences decoded together
  int64_t generate = 64;                // steps of a decode phase; 0: no decoding
  int64_t runs = 5;
  std::vector<std::string> against;  // commands of peers, see peer.h

  const std::string& model() const { return preset.empty() ? flags.model : preset; }
};

// What is wrong by itself, without a model.
Result<void> check(const Spec& spec);

// In the order of measuring: per depth, prefills, decode, batches. `context`: the model's, for the default prompt.
std::vector<Phase> phases_of(const Spec& spec, int64_t context);
// Tokens of the longest sequence; tokens of all sequences of the largest phase, each on pages of its own.
int64_t longest_sequence(const std::vector<Phase>& phases);
int64_t cached_tokens(const std::vector<Phase>& phases);

// Fields that an entry leaves out are those of `defaults`.
Result<std::vector<Spec>> read_suite(const std::string& file, const Spec& defaults);

}  // namespace mlc::tools::bench
