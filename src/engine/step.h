// One engine step as values: what to compute (StepPlan), and what came out of it (StepResult).
//
// The arrays are the inputs of artifact/artifact.h; T token rows, R logit rows, P page table entries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"

namespace mlc::engine {

// Consecutive rows of one sequence.
struct Chunk {
  RequestId id = 0;
  int32_t first_row = 0;
  int32_t num_rows = 0;
  bool decodes = false;  // one row, for a token that was generated: counted as decode, not as prefill
};

// Why the logits of a row are wanted.
struct LogitRow {
  RequestId id = 0;
  bool samples = false;  // choose the next token from them
  int32_t target = -1;   // else: the prompt token whose log-probability they give
};

struct StepPlan {
  std::vector<int32_t> token_ids;     // [T]
  std::vector<int32_t> positions;     // [T]
  std::vector<int32_t> slots;         // [T]
  std::vector<int32_t> table_start;   // [T]
  std::vector<int32_t> block_tables;  // [P]
  std::vector<int32_t> logit_rows;    // [R]
  std::vector<LogitRow> logits;       // [R]
  std::vector<Chunk> chunks;

  int64_t num_rows() const { return static_cast<int64_t>(token_ids.size()); }
  int64_t num_logit_rows() const { return static_cast<int64_t>(logit_rows.size()); }
  void clear();  // keeps the memory
};

// For each logit row: the chosen token (or -1 and why), and the log-probability of the chosen or target token.
struct RowResult {
  int32_t token = -1;
  std::optional<TokenLogprob> logprob;
  std::string error;
};
struct StepResult {
  std::vector<RowResult> rows;  // [R]
};

}  // namespace mlc::engine
