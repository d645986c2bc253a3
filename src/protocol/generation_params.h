// The fields that chat and text completion requests share: sampling, limits, stops, what to return.
//
//   Fields f(body);
//   GenerationParams p = read_generation_params(f, model.defaults);   // f.failed() tells of a wrong one
//
// A field that the request leaves out takes the model's default. Unknown fields are ignored, as OpenAI clients expect
// of other servers; fields that are known to change the answer and that nothing here handles are refused by name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "protocol/json_fields.h"
#include "protocol/response_format.h"

namespace mlc::protocol {

inline constexpr int kMaxStops = 16;
inline constexpr int kMaxChoices = engine::kMaxChoicesPerRequest;  // n or best_of, and that times the prompts
inline constexpr size_t kMaxSaltBytes = 512;
inline constexpr int kMaxTopLogprobs = 20;  // what the engine gives

// What a model directory's generation config says; used for fields that a request leaves out.
struct GenerationDefaults {
  engine::SamplingParams sampling;
  std::optional<int64_t> max_tokens;  // nullopt: until the context is full
};

struct GenerationParams {
  std::string model;                  // as in the request; may be empty
  engine::SamplingParams sampling;    // seed: of choice 0; choice i uses seed + i
  bool seed_given = false;            // else the seed is drawn per request
  std::optional<int64_t> max_tokens;  // nullopt: until the context is full; 0 (text completions): only the prompt
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;  // the request's own; ignore_eos does not touch them
  bool ignore_eos = false;              // the model's stop ids do not stop
  int64_t min_tokens = 0;               // nothing ends the text before so many tokens
  int priority = 0;                     // lower goes first
  std::string cache_salt;               // prompts share computed prefixes with those of the same salt only
  int n = 1;
  int best_of = 1;        // at least n: so many answers are made, and the n likeliest per token are given
  int num_logprobs = -1;  // -1: none, 0: the chosen token's, k: also the k most likely
  bool stream = false;
  bool include_usage = false;               // a last stream chunk with the counts
  bool return_token_ids = false;            // choices carry `token_ids`, and `prompt_token_ids`
  bool return_tokens_as_token_ids = false;  // logprobs name tokens "token_id:N"
  std::optional<RequestedGrammar> grammar;  // the form of the answer (response_format.h); none: free text
  // `grammar` compiled for the model, by compile_grammar (prompt.h); goes into every engine request.
  std::shared_ptr<const engine::TokenConstraint> constraint;
};

// Reads all shared fields except the log-probability ones, which the two request kinds spell differently, and the form
// of the answer, for which the order of fields matters (read_grammar).
GenerationParams read_generation_params(Fields& fields, const GenerationDefaults& defaults);
// What the fields say together, once all of them are read.
void check_limits(Fields& fields, const GenerationParams& params);

}  // namespace mlc::protocol
