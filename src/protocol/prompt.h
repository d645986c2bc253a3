// Requests to token ids: chat template, tokenizer, and the checks against the model.
//
//   MLC_TRY(std::vector<int32_t> ids, encode_chat(model, request));      // 400 context_length_exceeded when too long
#pragma once

#include "protocol/chat_request.h"
#include "protocol/completion_request.h"
#include "protocol/served_model.h"

namespace mlc::protocol {

// The chat template's text for the messages, not yet encoded.
ApiResult<text::RenderedPrompt> render_chat(const ServedModel& model, const ChatRequest& request);
// `text`: also gets the prompt itself, when given.
ApiResult<std::vector<int32_t>> encode_chat(const ServedModel& model, const ChatRequest& request,
                                            std::string* text = nullptr);
// `answer_tokens`: how many tokens the answer has at least (0 when a prompt is only scored). `param` names the prompt
// in messages.
ApiResult<std::vector<int32_t>> encode_prompt(const ServedModel& model, const Prompt& prompt, bool add_special_tokens,
                                              int64_t answer_tokens = 1, const std::string& param = "prompt");

// What the engine is asked for: best_of choices, the model's stop ids unless ignore_eos.
engine::Request make_request(const ServedModel& model, const GenerationParams& params, std::vector<int32_t> prompt);
// Makes params->constraint of params->grammar, where there is one. 400 with the keyword when it cannot be honoured.
std::optional<ApiError> compile_grammar(const ServedModel& model, GenerationParams* params);
// Ids in logit_bias and stop_token_ids must be the model's.
std::optional<ApiError> check_ids(const ServedModel& model, const GenerationParams& params);

}  // namespace mlc::protocol
