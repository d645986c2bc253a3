// Calls as a model of some format writes them: for histories and examples where a chat template has no words for tools,
// and for tests of the parsers.
//
//   write_calls(*find_tool_format("hermes"), {{"get_weather", R"({"city": "Köln"})"}})
//   tool_instructions(*format, tools)      // a system message that tells the model which tools there are
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "text/output/tool_format.h"

namespace mlc::text {

struct WrittenCall {
  std::string name;
  std::string arguments;  // a JSON object
};

std::string write_calls(const ToolFormat& format, const std::vector<WrittenCall>& calls);
std::string tool_instructions(const ToolFormat& format, const OrderedJson& tools);

}  // namespace mlc::text
