#include "text/output/call_grammar.h"

#include <algorithm>

#include "text/output/argument_grammar.h"
#include "text/output/lark_writer.h"
#include "text/output/marks.h"
#include "text/output/output_parser.h"
#include "text/output/tool_writer.h"

namespace mlc::text {
namespace {

constexpr std::string_view kSpaceAfterReasoning = "/[ \\t\\r\\n]{1,8}/";

std::string_view trim_end(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool is_harmony(const OutputFormat& format) {
  return format.tools->family == ToolFamily::kHarmony || (format.reasoning && format.reasoning->harmony);
}

// Names that the format's parser would not take for one.
Result<void> check_name(const ToolFormat& format, const std::string& name) {
  const bool python = format.family == ToolFamily::kPython && name.find(':') != std::string::npos;
  const bool everyone = !format.markup.prompt_tail.empty() && name == "all";  // Functionary's name for the reader
  if (python || everyone) return error("the name '{}'", name);
  return {};
}

// What comes before the calls.
std::string write_reasoning(LarkWriter* lark, const ReasoningFormat& format, ReasoningState state) {
  if (state == ReasoningState::kNone) return "";
  std::string rest =
      lark->text_before(format.end, {format.end}) + " " + lark->terminal(std::string(kSpaceAfterReasoning)) + "?";
  if (state == ReasoningState::kOpen) return lark->rule(rest) + " ";
  return lark->rule(lark->literal(format.begin) + " " + rest) + "? ";
}

// gpt-oss: messages to itself, each in a channel.
std::string write_analysis(LarkWriter* lark) {
  const std::vector<std::string_view> marks = {"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>",
                                               "<|end|>",   "<|call|>",    "<|return|>"};
  return lark->rule(lark->literal("<|channel|>analysis<|message|>") + " " + lark->text_before("<|end|>", marks) + " " +
                    lark->literal("<|start|>assistant")) +
         "* ";
}

class CallWriter {
 public:
  CallWriter(LarkWriter* lark, const ToolFormat& format)
      : lark_(*lark), format_(format), syntax_(written_syntax(format)) {}

  Result<std::string> write(const OrderedJson& tools, bool parallel) {
    const auto& ends = format_.ends;
    // A token that ends the answer after a call, and so after the only one.
    const bool last = std::find(ends.begin(), ends.end(), std::string_view(syntax_.end)) != ends.end();
    if (last) syntax_.end.clear();
    std::string any;
    for (const OrderedJson& tool : tools) {
      MLC_TRY(const std::string one, call(tool.at("function")));
      any += (any.empty() ? "" : " | ") + lark_.rule(one);
    }
    const std::string call = lark_.rule(any);
    std::string calls = add(syntax_.open) + call;
    if (parallel && !last) calls += " (" + add(syntax_.separator) + call + ")*";
    if (!syntax_.close.empty()) calls += " " + lark_.literal(syntax_.close);
    return between_marks(calls);
  }

 private:
  std::string add(const std::string& text) const { return text.empty() ? "" : lark_.literal(text) + " "; }

  Result<std::string> call(const OrderedJson& function) {
    const std::string name = function.at("name").get<std::string>();
    MLC_TRY_VOID(check_name(format_, name));
    MLC_TRY(const OrderedJson schema, arguments_schema(function));
    MLC_TRY(const std::string arguments, argument_expression(&lark_, format_, schema));
    std::string out = begin(name) + " " + arguments;
    if (!syntax_.end.empty()) out += " " + lark_.literal(syntax_.end);
    return out;
  }

  std::string begin(const std::string& name) {
    constexpr std::string_view kNumber = ":0";
    if (!format_.markup.numbered || !syntax_.middle.starts_with(kNumber)) {
      return lark_.literal(syntax_.begin + name + syntax_.middle);
    }
    // Kimi counts its calls.
    return lark_.literal(syntax_.begin + name + ":") + " " + lark_.terminal("/0|[1-9][0-9]{0,2}/") + " " +
           lark_.literal(syntax_.middle.substr(kNumber.size()));
  }

  // Python's list stands alone, or between marks where the vocabulary has them.
  std::string between_marks(const std::string& calls) {
    const PythonRules& rules = format_.python;
    if (rules.opens.empty()) return lark_.rule(calls);
    const std::string list = lark_.rule(calls);
    std::string out = list;
    for (size_t i = 0; i < std::min(rules.opens.size(), rules.closes.size()); ++i) {
      if (!lark_.has_special(rules.opens[i]) || !lark_.has_special(rules.closes[i])) continue;
      out += " | " + lark_.literal(rules.opens[i]) + " " + list + " " + lark_.literal(rules.closes[i]);
    }
    return lark_.rule(out);
  }

  LarkWriter& lark_;
  const ToolFormat& format_;
  WrittenSyntax syntax_;
};

Result<CallGrammar> compile_in(const ToolFormat& format, const Tokenizer& tokenizer, CallGrammarRequest request) {
  request.format.tools = &format;
  MLC_TRY(std::string lark, lark_of_calls(tokenizer, request));
  MLC_TRY(Grammar grammar, Grammar::compile(tokenizer, {GrammarSpec::Kind::kLark, std::move(lark)}));
  return CallGrammar{&format, std::move(grammar)};
}

// The first tool whose schema is at fault, in the words that grammar.h has for it.
Error explain(const Tokenizer& tokenizer, const OrderedJson& tools, const Error& failure) {
  for (const OrderedJson& tool : tools) {
    const OrderedJson& function = tool.at("function");
    const auto at_fault = [&function](const std::string& why) {
      return Error{ErrorCode::kInvalidArgument,
                   "the parameters of '" + function.at("name").get<std::string>() + "': " + why};
    };
    const auto schema = arguments_schema(function);
    if (!schema) return at_fault(schema.error().message);
    const auto alone = Grammar::compile(tokenizer, {GrammarSpec::Kind::kJsonSchema, schema->dump()});
    if (!alone) return at_fault(alone.error().message);
  }
  return failure;
}

}  // namespace

ReasoningState reasoning_state(const ReasoningFormat& format, std::string_view prompt) {
  if (format.harmony) return ReasoningState::kMay;
  if (reasoning_is_open(format, prompt)) return ReasoningState::kOpen;
  return trim_end(prompt).ends_with(format.end) ? ReasoningState::kNone : ReasoningState::kMay;
}

Result<std::string> lark_of_calls(const Tokenizer& tokenizer, const CallGrammarRequest& request) {
  LarkWriter lark(tokenizer);
  const OutputFormat& format = request.format;
  const bool harmony = is_harmony(format);
  const ToolFormat& tools = harmony ? *find_tool_format("gpt_oss") : *format.tools;
  MLC_TRY(const std::string calls, CallWriter(&lark, tools).write(request.tools, request.parallel));
  std::string before;
  if (harmony) {
    if (format.reasoning) before = write_analysis(&lark);
  } else if (format.reasoning) {
    before = write_reasoning(&lark, *format.reasoning, request.reasoning);
  }
  return lark.finish(before + calls);
}

Result<CallGrammar> compile_call_grammar(const Tokenizer& tokenizer, const CallGrammarRequest& request) {
  auto own = compile_in(*request.format.tools, tokenizer, request);
  if (own) return own;
  const ToolFormat* plain = find_tool_format("json");
  if (!is_harmony(request.format) && request.format.tools != plain) {
    if (auto other = compile_in(*plain, tokenizer, request)) return other;
  }
  return explain(tokenizer, request.tools, own.error());
}

}  // namespace mlc::text
