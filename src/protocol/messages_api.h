// POST /v1/messages: Anthropic's Messages API over the chat completions of this server, and its errors.
//
//   MLC_TRY(MessagesRequest r, parse_messages_request(body));   // r.chat is the same request for chat completions
//   auto answer = make_messages_answer(std::move(generation), r.stream);
//
// Text, tool use and thinking; images and documents are refused. cache_control is accepted and without effect: prefixes
// are cached by themselves.
#pragma once

#include "protocol/item_answer.h"

namespace mlc::protocol {

struct MessagesRequest {
  Json chat = Json::object();  // the body of the chat completion that answers it
  bool stream = false;
};

// `counting`: for count_tokens, where max_tokens is not needed.
ApiResult<MessagesRequest> parse_messages_request(const Json& body, bool counting = false);
std::unique_ptr<Answer> make_messages_answer(std::unique_ptr<Generation> generation, bool stream);
// {"type": "error", "error": {"type": "invalid_request_error", "message": …}}
OrderedJson messages_error(const ApiError& e);

}  // namespace mlc::protocol
