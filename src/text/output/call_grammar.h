// The grammar of an answer that must call tools: tool_choice "required", or a tool by its name.
//
//   MLC_TRY(CallGrammar calls, compile_call_grammar(tokenizer, {.format = model.format, .tools = request.tools,
//                              .parallel = false, .reasoning = reasoning_state(*format.reasoning, prompt)}));
//   OutputParser parser({.format = {calls.format, …}, …});        // reads what the grammar lets the model write
//
// An answer of the grammar is one call or several, nothing else, and before them what the model thinks. It is written
// as tool_writer.h writes calls and as OutputParser reads them; names are those of the tools, arguments follow their
// schemas. Special tokens of the vocabulary are in it where the format has them.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "text/grammar.h"
#include "text/output/tool_format.h"

namespace mlc::text {

// Where reasoning stands when the answer begins.
enum class ReasoningState {
  kNone,  // there is none, or the prompt has closed it
  kMay,   // it may come first
  kOpen,  // the prompt ends inside of it
};
ReasoningState reasoning_state(const ReasoningFormat& format, std::string_view prompt);

struct CallGrammarRequest {
  OutputFormat format;   // of the model; tools must be set
  OrderedJson tools;     // that may be called, OpenAI's form, at least one
  bool parallel = true;  // several calls in one answer, where the format has them
  ReasoningState reasoning = ReasoningState::kNone;
};

struct CallGrammar {
  const ToolFormat* format;  // of the calls: the model's, or "json" where that cannot follow the schemas
  Grammar grammar;
};

// An error names the tool and the keyword of its schema that cannot be honoured.
Result<CallGrammar> compile_call_grammar(const Tokenizer& tokenizer, const CallGrammarRequest& request);

// The grammar's text, for calls in request.format.tools.
Result<std::string> lark_of_calls(const Tokenizer& tokenizer, const CallGrammarRequest& request);

}  // namespace mlc::text
