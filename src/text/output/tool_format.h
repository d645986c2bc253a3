// The ways in which models write calls of tools, as a table, and which of them a chat template asks for.
//
//   const ToolFormat* format = find_tool_format("hermes");             // --tool-call-parser
//   OutputFormat formats = detect_formats(chat_template_source);       // "auto"
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlc::text {

// Calls as JSON between marks. A call is opened by one of `opens`; then comes an object {"name": …, "arguments": …}, a
// list of them, or a name and the arguments after one of `after_name`.
struct MarkupRules {
  std::vector<std::string_view> opens;
  std::vector<std::string_view> closes;      // after a call or list; may be missing
  std::vector<std::string_view> sections;    // may stand before the first opening mark
  std::vector<std::string_view> after_name;  // empty: calls are objects only
  std::string_view after_id;                 // Mistral: name[CALL_ID]id[ARGS]
  std::string_view name_prefix;              // cut from names: "functions."
  bool numbered = false;                     // Kimi: the name ends with ":0", and is the call's id
  bool bare = false;                         // an answer may begin with an object or a list, without a mark
  bool known_only = false;                   // marks that occur in plain text, too: only names of the request's tools
  std::string_view separator;                // between bare calls
  std::string_view prompt_tail;              // the prompt ends with this opening mark
};

// Calls as tags with a value per parameter.
struct TagRules {
  std::vector<std::string_view> opens;  // around one call or more
  std::vector<std::string_view> closes;
  std::string_view call, call_end;  // call NAME call_end; call empty: the name follows the opening mark
  std::string_view call_close;
  std::string_view key, key_end;  // key NAME key_end VALUE value_close
  std::string_view value;         // before the value, after key_end
  std::string_view value_close;
};

// Calls as Python: [f(a=1), g(b="x")]
struct PythonRules {
  std::vector<std::string_view> opens, closes;  // around the list; may be missing
};

// How calls with JSON arguments are written, one after the other; for grammars, examples, and histories:
//   open  begin NAME middle ARGUMENTS end  separator  begin … end  close
struct CallSyntax {
  std::string_view open, begin, middle, end, separator, close;
};

enum class ToolFamily { kMarkup, kTags, kPython, kHarmony };

struct ToolFormat {
  std::string_view name;
  ToolFamily family = ToolFamily::kMarkup;
  std::string_view models;  // who writes it, for --help and docs
  MarkupRules markup{};
  TagRules tags{};
  PythonRules python{};
  CallSyntax syntax{};                   // kMarkup and kHarmony
  std::vector<std::string_view> ends{};  // tokens that end an answer after a call, even if the model does not list them
  int id_length = 0;                     // of calls' ids; 0: any
};

struct ReasoningFormat {
  std::string_view name;
  std::string_view begin, end;
  bool starts_open = false;  // the text begins with reasoning unless the prompt has closed it
  bool harmony = false;
};

struct OutputFormat {
  const ToolFormat* tools = nullptr;
  const ReasoningFormat* reasoning = nullptr;
};

std::span<const ToolFormat> tool_formats();
std::span<const ReasoningFormat> reasoning_formats();
const ToolFormat* find_tool_format(std::string_view name);            // null: no such name
const ReasoningFormat* find_reasoning_format(std::string_view name);  // null: no such name
// All marks of a format, and those of the tokens that end answers: a detokenizer must let them through.
std::vector<std::string> marks_of(const OutputFormat& format);

// What a chat template's text says about the answers that its model gives.
OutputFormat detect_formats(std::string_view template_source);
// The same for MLC's conversation templates, which have a name and say little else.
OutputFormat formats_of_conv_template(std::string_view name, bool strips_reasoning);

}  // namespace mlc::text
