// POST /v1/chat/completions: its body, checked.
//
//   MLC_TRY(Json body, parse_body(text));
//   MLC_TRY(ChatRequest request, parse_chat_request(body, model.defaults));
#pragma once

#include "protocol/generation_params.h"

namespace mlc::protocol {

struct ChatRequest {
  GenerationParams params;
  // A list of {"role", "content"[, "name"]} with content a string: lists of text parts are joined. Other fields of
  // a message do not get here.
  OrderedJson messages;
  OrderedJson template_kwargs = OrderedJson::object();  // chat_template_kwargs: extra variables of the chat template
  bool add_generation_prompt = true;
};

ApiResult<ChatRequest> parse_chat_request(const Json& body, const GenerationDefaults& defaults);

}  // namespace mlc::protocol
