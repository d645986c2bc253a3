// What a request says about the form of its answer: response_format, and the fields by which other servers' clients say
// the same.
//
//   MLC_TRY(auto grammar, read_grammar(json, body));          // nullopt: free text
//   request.params.grammar = std::move(grammar);
//
// OpenAI:  "response_format": {"type": "json_object"}
//          "response_format": {"type": "json_schema", "json_schema": {"name": …, "schema": {…}, "strict": true}}
// MLC:     "response_format": {"type": "json_object", "schema": "{…}"}
// here:    "response_format": {"type": "regex", "regex": …} | {"type": "choice", "choices": […]} |
//          {"type": "lark", "grammar": …} | {"type": "ebnf", "grammar": …} | {"type": "grammar", "grammar": either}
// vLLM:    "guided_json", "guided_regex", "guided_choice", "guided_grammar"; "structured_outputs": {"json" | "regex" |
//          "choice" | "grammar" | "json_object": …}
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/api_error.h"
#include "text/grammar.h"

namespace mlc::protocol {

struct RequestedGrammar {
  text::GrammarSpec spec;
  std::string param;  // the field that asked for it
};

// `json` is `body` parsed. The order of a schema's properties matters, which only the text still has.
ApiResult<std::optional<RequestedGrammar>> read_grammar(const Json& json, std::string_view body);

// The same of a Responses request: {"text": {"format": {"type": "json_schema", "name": …, "schema": {…}}}}, or any
// other value of response_format.
ApiResult<std::optional<RequestedGrammar>> read_text_format(const Json& json, std::string_view body);

// The value of response_format; nullopt for {"type": "text"}.
ApiResult<std::optional<RequestedGrammar>> read_response_format(const OrderedJson& format,
                                                                const std::string& param = "response_format");

}  // namespace mlc::protocol
