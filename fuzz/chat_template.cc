#include "text/chat_template.h"

#include "base/check.h"
#include "fuzz/targets.h"

namespace mlc::fuzz {
namespace {

// A panic below comes as an error: for a user that is right, here it is a find.
template <typename T>
bool worked(const Result<T>& result) {
  MLC_CHECK(result || result.error().message.find("internal failure") == std::string::npos, "{}",
            result.error().message);
  return result.has_value();
}

}  // namespace

void chat_template(std::string_view input) {
  const auto made = text::ChatTemplate::from_jinja(input, Json{{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  if (!worked(made)) return;
  const OrderedJson call = {
      {"type", "function"},
      {"id", "c1"},
      {"function", {{"name", "f"}, {"arguments", {{"x", 1}, {"y", OrderedJson::array({true})}}}}}};
  const OrderedJson messages = {{{"role", "system"}, {"content", "Be brief."}},
                                {{"role", "user"}, {"content", "caf\u00e9 {{ 1 }}"}},
                                {{"role", "assistant"}, {"content", ""}, {"tool_calls", OrderedJson::array({call})}},
                                {{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "2"}}};
  text::RenderOptions options;
  options.now = 0;
  options.tools = OrderedJson::array({{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", {}}}}}});
  worked(made->render(messages, options));
}

}  // namespace mlc::fuzz
