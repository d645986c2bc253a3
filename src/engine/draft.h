// Speculative decoding: cheap guesses of the next tokens, which one step of the model then checks all at once.
//
//   auto source = make_ngram_draft();                            // or make_model_draft() in draft_model.h
//   source->propose(queries, drafts);                            // drafts[i]: at most queries[i].max_tokens tokens
//
// A guess counts when it is the very token that the model's own logits, the request's parameters and its random number
// for that position give. So the answer is the same token by token with any source, with any length of guesses and with
// none, greedy or sampled; only its speed differs. (Rejection sampling, Leviathan et al. 2023, keeps the distribution
// but lets the text depend on the guesses, and so on the load. For a source that guesses one token with certainty, both
// accept with the same probability.)
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/step.h"

namespace mlc::engine {

inline constexpr int64_t kMaxDraft = 16;  // guesses per sequence and step

struct DraftOptions {
  int64_t max_length = 0;  // guesses per sequence and step; 0: none
  bool adaptive = true;    // fewer while they are wrong; else always as many as fit
  int64_t max_rows = 32;   // rows of a step for decoding and guesses together: guesses are for when rows are cheap
};

// What a sequence tells a source.
struct DraftQuery {
  SequenceId id = 0;
  const Request* request = nullptr;
  int choice = 0;
  std::span<const int32_t> tokens;  // prompt, then what was generated
  int64_t max_tokens = 0;           // at least 1
  uint64_t num_generated() const { return tokens.size() - request->prompt.size(); }
};

class DraftSource {
 public:
  virtual ~DraftSource() = default;
  // drafts has one (empty) entry per query.
  virtual void propose(std::span<const DraftQuery> queries, std::span<std::vector<int32_t>> drafts) = 0;
  virtual void forget(SequenceId) {}  // it has ended
};

struct NgramOptions {
  int64_t min_match = 2, max_match = 4;  // how many last tokens must have occurred before
};
// Prompt lookup (Saxena 2023): what followed the last time that the text had the same last tokens.
std::unique_ptr<DraftSource> make_ngram_draft(const NgramOptions& options = {});

// How many tokens to guess: twice as many after a whole guess was right, one more than were right otherwise; when none
// was, it pauses for longer and longer.
class DraftLength {
 public:
  // For the next step; 0: pause. Called once per step.
  int64_t next(const DraftOptions& options);
  void record(int64_t drafted, int64_t accepted);

 private:
  int64_t length_ = 4, pause_ = 0, last_pause_ = 0;
};

struct DraftCounts {
  int64_t steps = 0;  // sequences times steps that had guesses
  int64_t drafted = 0, accepted = 0;
  std::array<int64_t, kMaxDraft> accepted_at{};  // how often the guess at this position was right
};

}  // namespace mlc::engine
