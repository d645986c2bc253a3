// POST /v1/responses: OpenAI's Responses API over the chat completions of this server.
//
//   MLC_TRY(ResponsesRequest r, parse_responses_request(body));   // r.chat is the same request for chat completions
//   auto answer = make_responses_answer(std::move(generation), r);
//
// Nothing is stored: previous_response_id, conversation and background are refused, `store` says false in the answer.
// Tools are functions of the client; built-in ones (web_search and the like) are refused.
#pragma once

#include "protocol/item_answer.h"

namespace mlc::protocol {

struct ResponsesRequest {
  Json chat = Json::object();  // the body of the chat completion that answers it
  OrderedJson shown;           // what the answer repeats of the request: instructions, tools, temperature, …
  bool stream = false;
};

ApiResult<ResponsesRequest> parse_responses_request(const Json& body);
// A fault that chat completions found in `chat`, in the words of this API: "messages[0].content" is part of "input".
ApiError in_responses_words(ApiError e);
std::unique_ptr<Answer> make_responses_answer(std::unique_ptr<Generation> generation, const ResponsesRequest& request);

}  // namespace mlc::protocol
