// One message of a chat request, checked, in the form that chat templates take.
//
//   MLC_TRY(OrderedJson messages, parse_messages(body));
//   // [{"role": "assistant", "content": "", "tool_calls": [{"id", "type", "function": {"name", "arguments"}}]},
//   //  {"role": "tool", "tool_call_id": …, "name": …, "content": …}]
//
// Content is a string: lists of text parts are joined. A tool's message gets the name of its call. Roles and fields of
// the older function calls become those of tool calls.
#pragma once

#include "protocol/json_fields.h"

namespace mlc::protocol {

ApiResult<OrderedJson> parse_messages(const Json& body);

}  // namespace mlc::protocol
