// What was asked of the engine, and what it answers: plain values, immutable once submitted.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/constraint.h"

namespace mlc::engine {

using RequestId = uint64_t;

// How to choose the next token. Applied in this order: logit_bias, presence and frequency penalties, repetition
// penalty, temperature, top_k, top_p, min_p. temperature 0 (or top_p 0) is greedy: the lowest id among the largest
// logits.
struct SamplingParams {
  float temperature = 1.0f;         // [0, 2]
  float top_p = 1.0f;               // [0, 1]
  int top_k = 0;                    // 0: no limit
  float min_p = 0.0f;               // [0, 1], relative to the largest probability
  float repetition_penalty = 1.0f;  // > 0; divides positive, multiplies negative logits of tokens in prompt or output
  float presence_penalty = 0.0f;    // [-2, 2]; tokens generated so far
  float frequency_penalty = 0.0f;   // [-2, 2]; tokens generated so far
  std::map<int32_t, float> logit_bias;  // token id -> [-100, 100]
  // Of choice 0; choice c has seed + c. A choice's i-th token depends on its seed and i, never on the batch.
  uint64_t seed = 0;
};

// For embeddings: which final hidden states of the prompt's tokens make one vector.
enum class Pooling { kNone, kLast, kMean };

// What of the model's own numbers a request wants to see.
enum class Rows { kNone, kLogits, kHidden };

struct Request {
  RequestId id = 0;             // given by Engine::submit
  std::string name;             // in event traces; empty: the id
  std::vector<int32_t> prompt;  // at least one token
  SamplingParams sampling;
  int64_t max_tokens = std::numeric_limits<int64_t>::max();  // to generate; the context window also ends a request
  std::vector<int32_t> stop_token_ids;
  bool ignore_eos = false;       // stop_token_ids do not stop
  int num_logprobs = -1;         // -1: none; 0: the chosen token's; n: also the n most likely, at most 20
  bool prompt_logprobs = false;  // log-probability (and num_logprobs alternatives) of each prompt token, by choice 0
  int num_choices = 1;           // answers to the one prompt, which is computed once; 1 to 128
  int64_t min_tokens = 0;        // stop_token_ids cannot be chosen before so many tokens
  int priority = 0;              // lower goes first; equal ones in order of arrival
  std::string cache_salt;        // prefixes are shared between requests with the same salt only
  int64_t pin_tokens = 0;        // the prefix cache keeps this much of the prompt for good, within limits
  // Not kNone: the last event carries the prompt's vector. With max_tokens 1 and one choice: nothing is generated that
  // counts.
  Pooling pooling = Pooling::kNone;
  // Not kNone: the last event carries what the model computed for the prompt's last token, or with all_rows for each of
  // them. With max_tokens 1 and one choice, like `pooling`.
  Rows rows = Rows::kNone;
  bool all_rows = false;
  // Structured output: cloned for the sequence, the output follows it from its first token. Null: none. Its end also
  // ends a request that ignores its stop tokens.
  std::shared_ptr<const TokenConstraint> constraint;
};

inline constexpr int kMaxChoicesPerRequest = 128;

enum class FinishReason { kNone, kStop, kLength, kCancelled, kError };

struct TokenLogprob {
  int32_t token = 0;
  float logprob = 0.0f;                        // natural logarithm, of the model's distribution (temperature 1)
  std::vector<std::pair<int32_t, float>> top;  // most likely first
};

// One event of one choice of a request; the last one of a choice has finish_reason != kNone.
struct Output {
  RequestId id = 0;
  int choice = 0;
  std::vector<int32_t> tokens;                // newly generated; a stop token is not included
  std::vector<TokenLogprob> logprobs;         // one per token in `tokens`, if asked for
  std::vector<TokenLogprob> prompt_logprobs;  // for prompt tokens 1 … n-1, in the first event(s), if asked for
  std::vector<float> embedding;               // in the last event, if asked for by `pooling`: [hidden_size]
  // In the last event, if asked for by `rows`: [tokens, vocab_size] or [tokens, hidden_size]. Never changed afterwards.
  std::shared_ptr<std::vector<float>> rows;
  FinishReason finish_reason = FinishReason::kNone;
  std::string error;                 // for kError
  int64_t cached_prompt_tokens = 0;  // of the prompt tokens: taken from the prefix cache
  // Counts, valid in the last event.
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  double prefill_s = 0;  // from the start of the first step to the first token
  double decode_s = 0;   // from the first token to the last
};

// Called on the engine thread: must be quick and must not call the engine back except submit() and cancel().
using OutputCallback = std::function<void(const Output&)>;

}  // namespace mlc::engine
