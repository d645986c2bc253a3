#include "protocol/call_constraint.h"

#include "engine/grammar_constraint.h"
#include "protocol/message_parser.h"
#include "protocol/prompt.h"
#include "text/output/call_grammar.h"

namespace mlc::protocol {
namespace {

OrderedJson callable(const ToolRequest& request) {
  if (request.choice.mode != ToolChoice::Mode::kNamed) return request.tools;
  OrderedJson out = OrderedJson::array();
  for (const OrderedJson& tool : request.tools) {
    if (tool["function"]["name"] == request.choice.name) out.push_back(tool);
  }
  return out;
}

}  // namespace

ApiResult<const text::ToolFormat*> constrain_calls(const ServedModel& model, const ChatRequest& request,
                                                   std::string_view prompt, GenerationParams* params) {
  const std::string param = request.tools.legacy ? "functions" : "tools";
  const auto refuse = [&](const Error& e) {
    return unsupported(param, fmt::format("'{}' cannot be used with a call that must come: {}.", param, e.message));
  };
  text::CallGrammarRequest wanted;
  wanted.format = {&tool_format(model), model.answers.format.reasoning};
  wanted.tools = callable(request.tools);
  wanted.parallel = request.tools.parallel;
  if (wanted.format.reasoning) wanted.reasoning = text::reasoning_state(*wanted.format.reasoning, prompt);
  auto calls = text::compile_call_grammar(*model.tokenizer, wanted);
  if (!calls) return refuse(calls.error());
  const engine::Request probe = make_request(model, *params, {});
  auto constraint = engine::make_grammar_constraint(calls->grammar, probe.stop_token_ids);
  if (!constraint) return refuse(constraint.error());
  params->constraint = std::move(*constraint);
  return calls->format;
}

}  // namespace mlc::protocol
