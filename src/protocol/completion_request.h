// POST /v1/completions: its body, checked. The prompt is text, a list of token ids, or a list of either.
//
//   MLC_TRY(CompletionRequest request, parse_completion_request(body, model.defaults));
//   request.prompts[0] is a std::string (to be encoded) or the token ids themselves
#pragma once

#include <variant>

#include "protocol/generation_params.h"

namespace mlc::protocol {

using Prompt = std::variant<std::string, std::vector<int32_t>>;

struct CompletionRequest {
  GenerationParams params;
  std::vector<Prompt> prompts;     // at least one; choices come prompt by prompt, n each
  bool echo = false;               // the prompt is repeated in front of the text (and of the log-probabilities)
  bool add_special_tokens = true;  // whether encoding a text prompt adds the tokenizer's BOS and the like
};

ApiResult<CompletionRequest> parse_completion_request(const Json& body, const GenerationDefaults& defaults);

}  // namespace mlc::protocol
