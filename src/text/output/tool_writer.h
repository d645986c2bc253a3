// Calls as a model of some format writes them: for histories and examples where a chat template has no words for tools,
// for the grammar of calls that must come (call_grammar.h), and for tests of the parsers.
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

// What stands around names and arguments, in every family of formats: CallSyntax (tool_format.h) in strings of its own.
struct WrittenSyntax {
  std::string open, begin, middle, end, separator, close;
};
WrittenSyntax written_syntax(const ToolFormat& format);

// kTags: what stands around the name and the value of a parameter; `middle` depends on whether the value is JSON.
struct WrittenParameter {
  std::string begin, middle, end;
};
WrittenParameter written_parameter(const TagRules& rules, bool json);

std::string write_calls(const ToolFormat& format, const std::vector<WrittenCall>& calls);
std::string tool_instructions(const ToolFormat& format, const OrderedJson& tools);

}  // namespace mlc::text
