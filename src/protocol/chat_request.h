// POST /v1/chat/completions: its body, checked.
//
//   MLC_TRY(Json body, parse_body(text));
//   MLC_TRY(ChatRequest request, parse_chat_request(body, model.defaults));
#pragma once

#include "protocol/generation_params.h"
#include "protocol/tool_request.h"

namespace mlc::protocol {

struct ChatRequest {
  GenerationParams params;
  OrderedJson messages;  // as chat_message.h makes them
  ToolRequest tools;
  OrderedJson template_kwargs = OrderedJson::object();  // chat_template_kwargs: extra variables of the chat template
  bool add_generation_prompt = true;
  bool include_reasoning = true;  // else what the model thinks is left out of the answer
};

// `ordered`: the same body with the client's order of keys, for what chat templates show of tools; may be null.
ApiResult<ChatRequest> parse_chat_request(const Json& body, const GenerationDefaults& defaults,
                                          const OrderedJson* ordered = nullptr);

}  // namespace mlc::protocol
