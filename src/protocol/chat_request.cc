#include "protocol/chat_request.h"

#include <algorithm>
#include <iterator>

#include "protocol/chat_message.h"

namespace mlc::protocol {
namespace {

void read_chat_logprobs(Fields& f, GenerationParams* p) {
  const bool logprobs = f.boolean("logprobs").value_or(false);
  const auto top = f.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && *top > 0 && !logprobs) {
    return f.fail(bad_value("top_logprobs", "given without \"logprobs\": true", "both together"));
  }
  if (logprobs) p->num_logprobs = static_cast<int>(top.value_or(0));
}

// chat_template_kwargs, and what other fields say to the template: reasoning_effort is a variable of the templates that
// know it; "none" turns thinking off in those that can.
void read_template_kwargs(Fields& f, const OrderedJson* ordered, ChatRequest* request) {
  if (const Json* extra = f.object("chat_template_kwargs")) {
    request->template_kwargs = ordered ? (*ordered)["chat_template_kwargs"] : OrderedJson(*extra);
  }
  const auto effort = f.string("reasoning_effort");
  if (!effort) return;
  constexpr std::string_view kEfforts[] = {"none", "minimal", "low", "medium", "high", "xhigh"};
  if (std::find(std::begin(kEfforts), std::end(kEfforts), *effort) == std::end(kEfforts)) {
    return f.fail(bad_value("reasoning_effort", describe(Json(*effort)),
                            "\"none\", \"minimal\", \"low\", \"medium\", \"high\" or \"xhigh\""));
  }
  OrderedJson& kwargs = request->template_kwargs;
  if (*effort != "none") {
    if (!kwargs.contains("reasoning_effort")) kwargs["reasoning_effort"] = *effort;
    return;
  }
  for (const char* name : {"enable_thinking", "thinking"}) {
    if (!kwargs.contains(name)) kwargs[name] = false;
  }
}

}  // namespace

ApiResult<ChatRequest> parse_chat_request(const Json& body, const GenerationDefaults& defaults,
                                          const OrderedJson* ordered) {
  ChatRequest request;
  Fields f(body);
  MLC_TRY(request.messages, parse_messages(body));
  request.params = read_generation_params(f, defaults);
  read_chat_logprobs(f, &request.params);
  if (auto limit = f.integer("max_tokens", 1, INT64_MAX)) request.params.max_tokens = *limit;
  if (auto limit = f.integer("max_completion_tokens", 1, INT64_MAX)) request.params.max_tokens = *limit;
  MLC_TRY(request.tools, parse_tools(body, ordered));
  read_template_kwargs(f, ordered, &request);
  request.include_reasoning = f.boolean("include_reasoning").value_or(true);
  check_limits(f, request.params);
  request.add_generation_prompt = f.boolean("add_generation_prompt").value_or(true);
  if (f.failed()) return f.error();
  return request;
}

}  // namespace mlc::protocol
