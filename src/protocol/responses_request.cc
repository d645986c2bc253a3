// The request half of responses_api.h.
#include "protocol/json_fields.h"
#include "protocol/responses_api.h"

namespace mlc::protocol {
namespace {

// "text", or [{"type": "input_text" | "output_text", "text": …}] as chat completions have it.
ApiResult<Json> parse_parts(const Json& content, const std::string& param) {
  if (content.is_string()) return content;
  if (!content.is_array()) return bad_value(param, describe(content), "a string or a list of parts");
  Json parts = Json::array();
  for (size_t i = 0; i < content.size(); ++i) {
    const std::string where = fmt::format("{}[{}]", param, i);
    const Json& part = content[i];
    if (!part.is_object()) return bad_value(where, describe(part), "an object with a type");
    const auto type = part.find("type");
    if (type == part.end()) return bad_value(where + ".type", "missing", "\"input_text\" or \"output_text\"");
    const char* field = *type == "refusal" ? "refusal" : "text";
    if (*type != "input_text" && *type != "output_text" && *type != "text" && *type != "refusal") {
      return unsupported(where + ".type",
                         fmt::format("'{}.type' is {}; only text parts are supported: the model reads no images, "
                                     "files or sound.",
                                     where, describe(*type)));
    }
    const auto text = part.find(field);
    if (text == part.end() || !text->is_string()) {
      return bad_value(where + "." + field, text == part.end() ? "missing" : describe(*text), "a string");
    }
    parts.push_back({{"type", "text"}, {"text", *text}});
  }
  return parts;
}

ApiResult<std::string> string_field(const Json& item, const char* name, const std::string& where) {
  const auto it = item.find(name);
  if (it != item.end() && it->is_string()) return it->get<std::string>();
  return bad_value(where + "." + name, it == item.end() ? "missing" : describe(*it), "a string");
}

// What an item adds to the messages. Calls and thinking join the assistant message before them.
class InputReader {
 public:
  std::optional<ApiError> add(const Json& item, const std::string& where) {
    if (!item.is_object()) return bad_value(where, describe(item), "an object: a message, a call or its output");
    const std::string type = item.contains("type") && item["type"].is_string() ? item["type"].get<std::string>()
                             : item.contains("role")                           ? "message"
                                                                               : "";
    if (type == "message") return message(item, where);
    if (type == "function_call") return call(item, where);
    if (type == "function_call_output") return output(item, where);
    if (type == "reasoning") return reasoning(item);
    return unsupported(where + ".type",
                       fmt::format("'{}.type' is {}; expected message, function_call, function_call_output or "
                                   "reasoning.",
                                   where, item.contains("type") ? describe(item["type"]) : "missing"));
  }
  Json messages = Json::array();

 private:
  std::optional<ApiError> message(const Json& item, const std::string& where) {
    auto role = string_field(item, "role", where);
    if (!role) return role.error();
    const auto content = item.find("content");
    if (content == item.end()) return bad_value(where + ".content", "missing", "a string or a list of parts");
    auto parts = parse_parts(*content, where + ".content");
    if (!parts) return parts.error();
    if (*role == "assistant" && begun_here()) {
      messages.back()["content"] = std::move(*parts);
      return std::nullopt;
    }
    messages.push_back({{"role", *role}, {"content", std::move(*parts)}});
    return std::nullopt;
  }
  std::optional<ApiError> call(const Json& item, const std::string& where) {
    Json function;
    auto id = string_field(item, "call_id", where);
    if (!id) return id.error();
    for (const char* name : {"name", "arguments"}) {
      auto value = string_field(item, name, where);
      if (!value) return value.error();
      function[name] = *value;
    }
    assistant()["tool_calls"].push_back({{"id", *id}, {"type", "function"}, {"function", std::move(function)}});
    return std::nullopt;
  }
  std::optional<ApiError> output(const Json& item, const std::string& where) {
    auto id = string_field(item, "call_id", where);
    if (!id) return id.error();
    const auto output = item.find("output");
    if (output == item.end()) return bad_value(where + ".output", "missing", "a string or a list of parts");
    auto parts = parse_parts(*output, where + ".output");
    if (!parts) return parts.error();
    messages.push_back({{"role", "tool"}, {"tool_call_id", *id}, {"content", std::move(*parts)}});
    return std::nullopt;
  }
  std::optional<ApiError> reasoning(const Json& item) {
    std::string text;
    const auto content = item.find("content");
    if (content != item.end() && content->is_array()) {
      for (const Json& part : *content) text += part.is_object() ? part.value("text", "") : "";
    }
    if (!text.empty()) {
      messages.push_back({{"role", "assistant"}, {"content", ""}, {"reasoning_content", text}});
    }
    return std::nullopt;
  }

  // The last message is an assistant's that only thought so far.
  bool begun_here() const {
    return !messages.empty() && messages.back()["role"] == "assistant" &&
           messages.back().contains("reasoning_content") && messages.back()["content"] == "" &&
           !messages.back().contains("tool_calls");
  }
  Json& assistant() {
    if (messages.empty() || messages.back()["role"] != "assistant") {
      messages.push_back({{"role", "assistant"}, {"content", ""}});
    }
    Json& last = messages.back();
    if (!last.contains("tool_calls")) last["tool_calls"] = Json::array();
    return last;
  }
};

ApiResult<Json> parse_input(const Json& body) {
  InputReader reader;
  Fields f(body);
  if (auto instructions = f.string("instructions")) {
    reader.messages.push_back({{"role", "system"}, {"content", *instructions}});
  }
  if (f.failed()) return f.error();
  const auto input = body.find("input");
  const char* expected = "a string or a list of at least one item";
  if (input == body.end() || input->is_null()) return bad_value("input", "missing", expected);
  if (input->is_string()) {
    reader.messages.push_back({{"role", "user"}, {"content", *input}});
  } else if (input->is_array() && !input->empty()) {
    for (size_t i = 0; i < input->size(); ++i) {
      if (auto e = reader.add((*input)[i], fmt::format("input[{}]", i))) return *e;
    }
  } else {
    return bad_value("input", describe(*input), expected);
  }
  return std::move(reader.messages);
}

OrderedJson or_null(const Json& body, const char* name) {
  const auto it = body.find(name);
  return it == body.end() ? OrderedJson(nullptr) : OrderedJson(*it);
}

OrderedJson or_default(const Json& body, const char* name, OrderedJson fallback) {
  OrderedJson value = or_null(body, name);
  return value.is_null() ? fallback : value;
}

// As OpenAI repeats them: with all fields that a function has.
OrderedJson shown_tools(const Json& body) {
  OrderedJson tools = or_default(body, "tools", OrderedJson::array());
  for (OrderedJson& tool : tools) {
    for (const char* field : {"description", "parameters", "strict"}) {
      if (!tool.contains(field)) tool[field] = nullptr;
    }
  }
  return tools;
}

// {"type": "function", "name", "parameters"} becomes {"type": "function", "function": {"name", "parameters"}}.
std::optional<ApiError> translate_tools(const Json& body, Json* chat) {
  if (const auto tools = body.find("tools"); tools != body.end() && !tools->is_null()) {
    if (!tools->is_array()) return bad_value("tools", describe(*tools), "a list of functions");
    Json out = Json::array();
    for (size_t i = 0; i < tools->size(); ++i) {
      const Json& tool = (*tools)[i];
      const std::string where = fmt::format("tools[{}]", i);
      if (!tool.is_object()) return bad_value(where, describe(tool), "an object with type and name");
      if (tool.value("type", Json()) != "function") {
        return unsupported(where + ".type",
                           fmt::format("'{}.type' is {}; only \"function\" tools are supported.", where,
                                       tool.contains("type") ? describe(tool["type"]) : "missing"));
      }
      Json function = tool;
      function.erase("type");
      out.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
    (*chat)["tools"] = std::move(out);
  }
  if (const auto choice = body.find("tool_choice"); choice != body.end() && !choice->is_null()) {
    const bool named = choice->is_object() && choice->value("type", Json()) == "function" && choice->contains("name");
    (*chat)["tool_choice"] = named ? Json{{"type", "function"}, {"function", {{"name", (*choice)["name"]}}}} : *choice;
  }
  return std::nullopt;
}

std::optional<ApiError> refuse_state(const Json& body) {
  struct Refused {
    const char* name;
    const char* why;
  };
  static constexpr Refused kRefused[] = {
      {"previous_response_id", "this server keeps no responses; send the earlier items in 'input'."},
      {"conversation", "this server keeps no conversations; send the earlier items in 'input'."},
      {"prompt", "this server keeps no prompt templates; send 'instructions' and 'input'."},
  };
  for (const Refused& r : kRefused) {
    const auto it = body.find(r.name);
    if (it != body.end() && !it->is_null()) return unsupported(r.name, fmt::format("'{}': {}", r.name, r.why));
  }
  if (body.value("background", Json()) == true) {
    return unsupported("background", "'background' is true: this server answers in the same connection only.");
  }
  if (body.value("truncation", Json()) == "auto") {
    return unsupported("truncation", "'truncation' is \"auto\": nothing is dropped silently here; use \"disabled\".");
  }
  if (const auto include = body.find("include"); include != body.end() && include->is_array()) {
    for (const Json& what : *include) {
      if (what == "message.output_text.logprobs") {
        return unsupported("include", "'include' asks for log-probabilities; use /v1/chat/completions for these.");
      }
    }
  }
  return std::nullopt;
}

}  // namespace

ApiResult<ResponsesRequest> parse_responses_request(const Json& body) {
  if (auto e = refuse_state(body)) return *e;
  ResponsesRequest r;
  copy_common_fields(body, &r.chat);
  MLC_TRY(r.chat["messages"], parse_input(body));
  if (auto e = translate_tools(body, &r.chat)) return *e;
  Fields f(body);
  (void)f.object("text");  // its format is read where the order of a schema's properties is known (response_format.h)
  if (auto limit = f.integer("max_output_tokens", 1, INT64_MAX)) r.chat["max_completion_tokens"] = *limit;
  if (auto parallel = f.boolean("parallel_tool_calls")) r.chat["parallel_tool_calls"] = *parallel;
  if (const Json* reasoning = f.object("reasoning"); reasoning != nullptr && reasoning->contains("effort")) {
    r.chat["reasoning_effort"] = (*reasoning)["effort"];
  }
  r.stream = f.boolean("stream").value_or(false);
  (void)f.object("metadata");
  if (f.failed()) return f.error();
  r.chat["stream"] = r.stream;
  if (r.stream) r.chat["stream_options"] = {{"include_usage", true}};
  r.shown = {{"instructions", or_null(body, "instructions")},
             {"max_output_tokens", or_null(body, "max_output_tokens")},
             {"max_tool_calls", nullptr},
             {"metadata", or_default(body, "metadata", OrderedJson::object())},
             {"parallel_tool_calls", or_default(body, "parallel_tool_calls", true)},
             {"previous_response_id", nullptr},
             {"reasoning", or_default(body, "reasoning", {{"effort", nullptr}, {"summary", nullptr}})},
             {"store", false},
             {"temperature", or_default(body, "temperature", 1.0)},
             {"text", or_default(body, "text", {{"format", {{"type", "text"}}}})},
             {"tool_choice", or_default(body, "tool_choice", "auto")},
             {"tools", shown_tools(body)},
             {"top_p", or_default(body, "top_p", 1.0)},
             {"truncation", "disabled"}};
  return r;
}

ApiError in_responses_words(ApiError e) {
  if (e.param.starts_with("messages")) e.param = "input";
  if (e.param == "max_completion_tokens") e.param = "max_output_tokens";
  if (e.param.starts_with("response_format") || e.param.starts_with("text.format")) e.param = "text.format";
  if (e.param.starts_with("reasoning_effort")) e.param = "reasoning.effort";
  return e;
}

}  // namespace mlc::protocol
