#include "text/mlc_template.h"

#include <algorithm>

#include "text/chat_template.h"

namespace mlc::text {
namespace {

constexpr const char* kFunctionMark = "{function_string}";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// json.dumps as MLC prints the tools: ", " and ": " between the parts, text not escaped to ASCII.
void dump_spaced(const OrderedJson& value, std::string& out) {
  bool first = true;
  if (value.is_object()) {
    out += '{';
    for (const auto& [key, item] : value.items()) {
      if (!std::exchange(first, false)) out += ", ";
      out += OrderedJson(key).dump() + ": ";
      dump_spaced(item, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (const OrderedJson& item : value) {
      if (!std::exchange(first, false)) out += ", ";
      dump_spaced(item, out);
    }
    out += ']';
  } else {
    out += value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  }
}

std::string tools_text(const OrderedJson& tools) {
  OrderedJson functions = OrderedJson::array();
  for (const OrderedJson& tool : tools) functions.push_back(tool.contains("function") ? tool["function"] : tool);
  std::string out;
  dump_spaced(functions, out);
  return out;
}

// Typed fields out of the JSON, all optional but seps and roles; remembers the first that has a wrong type.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {}
  template <typename T>
  void read(const char* name, T& into) {
    if (!json_.contains(name) || json_[name].is_null()) return;
    try {
      into = json_[name].get<T>();
    } catch (const Json::exception&) {
      if (bad_.empty()) bad_ = name;
    }
  }
  const std::string& bad() const { return bad_; }

 private:
  const Json& json_;
  std::string bad_;
};

Result<void> read_first_messages(const Json& json, MlcConvTemplate& out) {
  if (!json.contains("messages") || json["messages"].is_null()) return {};
  for (const Json& item : json["messages"]) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_string()) {
      return error(ErrorCode::kCorrupt, "conv_template.messages: expected [role, content] pairs");
    }
    out.messages.emplace_back(item[0].get<std::string>(), OrderedJson(item[1]));
  }
  return {};
}

// What an assistant's message keeps when it is history: the answer, without the thoughts before it.
std::string without_reasoning(const std::string& content) {
  size_t at = content.rfind("</think>");
  std::string rest = at == std::string::npos ? content : content.substr(at + 8);
  size_t start = rest.find_first_not_of('\n');
  return start == std::string::npos ? "" : rest.substr(start);
}

// MLC prints an assistant's tool calls as text where the message has no content.
OrderedJson content_of(const OrderedJson& message) {
  OrderedJson content = message.contains("content") ? message["content"] : OrderedJson();
  if (!content.is_null()) return content;
  if (!message.contains("tool_calls") || !message["tool_calls"].is_array()) return "";
  OrderedJson calls = OrderedJson::array();
  for (const OrderedJson& call : message["tool_calls"]) {
    if (call.is_object() && call.contains("function")) calls.push_back(call["function"]);
  }
  std::string text;
  dump_spaced(calls, text);
  return text;
}

}  // namespace

Result<MlcConvTemplate> MlcConvTemplate::parse(const Json& json) {
  if (!json.is_object())
    return error(ErrorCode::kCorrupt, "conv_template: expected an object, found {}", json.type_name());
  MlcConvTemplate out;
  Fields fields(json);
  fields.read("name", out.name);
  fields.read("system_template", out.system_template);
  fields.read("system_message", out.system_message);
  fields.read("system_prefix_token_ids", out.system_prefix_token_ids);
  fields.read("add_role_after_system_message", out.add_role_after_system_message);
  fields.read("roles", out.roles);
  fields.read("role_templates", out.role_templates);
  fields.read("seps", out.seps);
  fields.read("role_content_sep", out.role_content_sep);
  fields.read("role_empty_sep", out.role_empty_sep);
  fields.read("stop_str", out.stop_strings);
  fields.read("stop_token_ids", out.stop_token_ids);
  fields.read("strip_reasoning_in_history", out.strip_reasoning_in_history);
  fields.read("function_string", out.function_string);
  if (!fields.bad().empty()) return error(ErrorCode::kCorrupt, "conv_template.{}: wrong type", fields.bad());
  MLC_TRY_VOID(read_first_messages(json, out));
  if (!out.roles.contains("user") || !out.roles.contains("assistant")) {
    return error(ErrorCode::kCorrupt, "conv_template.roles: expected at least \"user\" and \"assistant\"");
  }
  if (out.seps.empty() || out.seps.size() > 2) {
    return error(ErrorCode::kCorrupt, "conv_template.seps: expected one or two separators, found {}", out.seps.size());
  }
  for (const char* role : {"user", "assistant", "tool"}) {
    out.role_templates.try_emplace(role, std::string("{") + role + "_message}");
  }
  return out;
}

Result<std::string> MlcConvTemplate::render_turn(const std::string& role, const OrderedJson& content,
                                                 bool show_role) const {
  auto opening = roles.find(role);
  if (opening == roles.end()) {
    std::string known;
    for (const auto& [name_of_role, text] : roles) known += (known.empty() ? "" : ", ") + name_of_role;
    return error("role \"{}\": the conversation template \"{}\" has only: {}", role, name, known);
  }
  const std::string mark = "{" + role + "_message}";
  auto pattern = role_templates.find(role);
  auto fill = [&](const std::string& text) {
    std::string out = pattern == role_templates.end() ? mark : pattern->second;
    replace_all(out, mark, text);
    return out;
  };
  std::string out = show_role ? opening->second + role_content_sep : "";
  if (content.is_string()) {
    out += fill(content.get<std::string>());
  } else if (content.is_array()) {
    for (const OrderedJson& part : content) {
      if (!part.is_object() || !part.contains("text") || !part["text"].is_string()) {
        return error(ErrorCode::kUnsupported, "a message part is not text; this model takes text only");
      }
      out += fill(part["text"].get<std::string>());
    }
  } else {
    return error("a message's content: expected text or a list of parts, found {}", content.type_name());
  }
  return out + (role == "assistant" ? seps.back() : seps.front());
}

Result<RenderedPrompt> MlcConvTemplate::render(const OrderedJson& input, const OrderedJson& tools,
                                               bool add_generation_prompt) const {
  std::string system = system_message;
  auto turns = messages;
  for (const OrderedJson& message : input) {
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string()) {
      return error("messages: expected objects with a \"role\"");
    }
    std::string role = message["role"].get<std::string>();
    if (role != "system") {
      turns.emplace_back(role, content_of(message));
      continue;
    }
    OrderedJson content = content_of(message);
    system.clear();
    if (content.is_string()) system = content.get<std::string>();
    for (const OrderedJson& part : content.is_array() ? content : OrderedJson::array()) {
      if (part.is_object() && part.contains("text") && part["text"].is_string())
        system += part["text"].get<std::string>();
    }
  }
  size_t last_user = turns.size();
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].first == "user") last_user = i;
  }
  RenderedPrompt prompt;
  prompt.text = system_template;
  replace_all(prompt.text, "{system_message}", system);
  bool has_system = !prompt.text.empty();
  for (size_t i = 0; i < turns.size(); ++i) {
    auto [role, content] = turns[i];
    if (strip_reasoning_in_history && role == "assistant" && i < last_user && last_user < turns.size() &&
        content.is_string()) {
      content = without_reasoning(content.get<std::string>());
    }
    bool show_role = add_role_after_system_message || !has_system || i > 0;
    MLC_TRY(std::string turn, render_turn(role, content, show_role));
    prompt.text += turn;
  }
  if (add_generation_prompt) prompt.text += roles.at("assistant") + role_empty_sep;
  std::string functions = tools.is_array() && !tools.empty() ? tools_text(tools) : function_string;
  if (size_t at = prompt.text.rfind(kFunctionMark); at != std::string::npos) {
    std::string head = prompt.text.substr(0, at),
                tail = prompt.text.substr(at + std::string_view(kFunctionMark).size());
    replace_all(head, kFunctionMark, "");
    prompt.text = head + functions + tail;
  }
  prompt.prefix_ids = system_prefix_token_ids;
  return prompt;
}

}  // namespace mlc::text
