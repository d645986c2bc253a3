// The tools of a chat request: tools, tool_choice, parallel_tool_calls, and OpenAI's older functions and function_call.
//
//   MLC_TRY(ToolRequest tools, parse_tools(body, ordered));
//   if (tools.offered()) …      // the prompt tells of them, and calls are looked for in the answer
#pragma once

#include <string>

#include "protocol/json_fields.h"

namespace mlc::protocol {

struct ToolChoice {
  enum class Mode { kNone, kAuto, kRequired, kNamed };
  Mode mode = Mode::kAuto;
  std::string name;  // kNamed
};

struct ToolRequest {
  OrderedJson tools = OrderedJson::array();  // [{"type": "function", "function": {"name", …}}], keys as the client's
  ToolChoice choice;
  bool parallel = true;  // several calls in one answer
  bool legacy = false;   // functions: the answer has function_call instead of tool_calls

  bool offered() const { return !tools.empty() && choice.mode != ToolChoice::Mode::kNone; }
  bool must_call() const {
    return choice.mode == ToolChoice::Mode::kRequired || choice.mode == ToolChoice::Mode::kNamed;
  }
};

// `ordered`: the same body with the client's order of keys, which chat templates show; null: sorted keys do.
ApiResult<ToolRequest> parse_tools(const Json& body, const OrderedJson* ordered = nullptr);

}  // namespace mlc::protocol
