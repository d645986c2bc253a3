// The endpoints that ask the tokenizer and the chat template, not the model. Bodies in, JSON out.
//
//   /tokenize        vLLM's {"prompt" | "messages", "add_special_tokens", "return_token_strs"} and llama.cpp's
//                    {"content", "add_special", "with_pieces"}
//   /detokenize      {"tokens": [...]}; the text comes under both projects' names, "prompt" and "content"
//   /apply-template  llama.cpp's: the fields of a chat request; answers {"prompt": text}
//   /v1/messages/count_tokens   Anthropic's
#pragma once

#include <string_view>

#include "protocol/served_model.h"

namespace mlc::protocol {

ApiResult<OrderedJson> tokenize(const ModelList& models, std::string_view body);
ApiResult<OrderedJson> detokenize(const ModelList& models, std::string_view body);
ApiResult<OrderedJson> apply_template(const ModelList& models, std::string_view body);
ApiResult<OrderedJson> count_tokens(const ModelList& models, std::string_view body);

}  // namespace mlc::protocol
