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

// One choice of a request in the scheduler. Numbers are never used twice.
using SequenceId = uint64_t;

// Consecutive rows of one sequence.
struct Chunk {
  SequenceId id = 0;
  int32_t first_row = 0;
  int32_t num_rows = 0;
  int32_t num_drafts = 0;  // the last rows: tokens that a draft source guessed
  bool decodes = false;    // a token that was generated, with its drafts: counted as decode, not as prefill
};

// Why the logits of a row are wanted.
struct LogitRow {
  SequenceId id = 0;
  bool samples = false;  // choose the next token from them
  int32_t target = -1;   // else: the prompt token whose log-probability they give
  // The token of the sequence's next row, which is a guess: that row counts only if this one's choice is the same.
  int32_t draft = -1;
};

// Before the step's rows are written, the content of page `from` is copied to page `to`: all layers, in this order.
struct PageCopy {
  int32_t from = 0, to = 0;
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
  std::vector<PageCopy> copies;

  int64_t num_rows() const { return static_cast<int64_t>(token_ids.size()); }
  int64_t num_logit_rows() const { return static_cast<int64_t>(logit_rows.size()); }
  void clear();  // keeps the memory
};

// For each logit row: the chosen token (or -1 and why), and the log-probability of the chosen or target token. Rows
// after a wrong guess, or after a stop token, stay empty.
struct RowResult {
  int32_t token = -1;
  std::optional<TokenLogprob> logprob;
  std::string error;
  // The other choices of the request, where they part: at their first token.
  struct Fork;
  std::vector<Fork> forks;
  // Of a constrained sequence: what its grammar forces after `token`, and that nothing may follow those. A grammar of
  // the empty text: complete without a token.
  std::vector<int32_t> forced;
  bool complete = false;
};
struct RowResult::Fork {
  int choice = 0;
  RowResult first;
};
struct StepResult {
  std::vector<RowResult> rows;  // [R]
};

}  // namespace mlc::engine
