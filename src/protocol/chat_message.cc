#include "protocol/chat_message.h"

#include <map>

namespace mlc::protocol {
namespace {

// "hi", or [{"type": "text", "text": "hi"}, ...] joined with line breaks as chat templates for text models do.
ApiResult<std::string> parse_content(const Json& content, const std::string& param) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return bad_value(param, describe(content), "a string or a list of text parts");
  std::string joined;
  for (size_t i = 0; i < content.size(); ++i) {
    const std::string where = fmt::format("{}[{}]", param, i);
    const Json& part = content[i];
    if (!part.is_object()) return bad_value(where, describe(part), "an object with a type");
    const auto type = part.find("type");
    if (type == part.end()) return bad_value(where + ".type", "missing", "\"text\"");
    const char* key = *type == "refusal" ? "refusal" : "text";
    if (*type != key) {
      return unsupported(where + ".type",
                         fmt::format("'{}.type' is {}; only \"text\" parts are supported: the model reads no images "
                                     "or sound.",
                                     where, describe(*type)));
    }
    const auto text = part.find(key);
    if (text == part.end()) return bad_value(fmt::format("{}.{}", where, key), "missing", "a string");
    if (!text->is_string()) return bad_value(fmt::format("{}.{}", where, key), describe(*text), "a string");
    if (i > 0) joined += '\n';
    joined += text->get_ref<const std::string&>();
  }
  return joined;
}

ApiResult<std::string> parse_role(const Json& message, const std::string& param) {
  const auto role = message.find("role");
  const char* expected = "\"system\", \"developer\", \"user\", \"assistant\" or \"tool\"";
  if (role == message.end()) return bad_value(param, "missing", expected);
  if (*role == "developer") return std::string("system");  // OpenAI's newer name for the same thing
  if (*role == "function") return std::string("tool");     // the older name of a tool's result
  if (*role == "system" || *role == "user" || *role == "assistant" || *role == "tool") return role->get<std::string>();
  return bad_value(param, describe(*role), expected);
}

bool given(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && !it->is_null() && !(it->is_array() && it->empty());
}

// {"name", "arguments"}: arguments are JSON text; some clients send the object itself.
ApiResult<OrderedJson> parse_function(const Json& function, const std::string& where) {
  if (!function.is_object()) return bad_value(where, describe(function), "an object with name and arguments");
  const auto name = function.find("name");
  if (name == function.end() || !name->is_string()) {
    return bad_value(where + ".name", name == function.end() ? "missing" : describe(*name), "a string");
  }
  const auto arguments = function.find("arguments");
  std::string text = "{}";
  if (arguments != function.end() && !arguments->is_null()) {
    if (!arguments->is_string() && !arguments->is_object()) {
      return bad_value(where + ".arguments", describe(*arguments), "a JSON object as a string");
    }
    text = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
    if (text.empty()) text = "{}";
    if (!Json::parse(text, nullptr, false).is_object()) {
      return bad_value(where + ".arguments", describe(*arguments), "a JSON object as a string");
    }
  }
  return OrderedJson{{"name", name->get<std::string>()}, {"arguments", std::move(text)}};
}

ApiResult<OrderedJson> parse_calls(const Json& message, const std::string& where) {
  OrderedJson out = OrderedJson::array();
  if (given(message, "function_call")) {
    MLC_TRY(OrderedJson function, parse_function(message["function_call"], where + ".function_call"));
    out.push_back({{"id", "call_0"}, {"type", "function"}, {"function", std::move(function)}});
  }
  if (!given(message, "tool_calls")) return out;
  const Json& calls = message["tool_calls"];
  if (!calls.is_array()) return bad_value(where + ".tool_calls", describe(calls), "a list of calls");
  for (size_t i = 0; i < calls.size(); ++i) {
    const std::string place = fmt::format("{}.tool_calls[{}]", where, i);
    const Json& call = calls[i];
    if (!call.is_object()) return bad_value(place, describe(call), "an object with id, type and function");
    const auto id = call.find("id"), function = call.find("function");
    if (id == call.end() || !id->is_string()) {
      return bad_value(place + ".id", id == call.end() ? "missing" : describe(*id), "a string");
    }
    if (function == call.end()) return bad_value(place + ".function", "missing", "an object with name and arguments");
    MLC_TRY(OrderedJson parsed, parse_function(*function, place + ".function"));
    out.push_back({{"id", id->get<std::string>()}, {"type", "function"}, {"function", std::move(parsed)}});
  }
  return out;
}

ApiResult<std::string> optional_string(const Json& message, const char* key, const std::string& where) {
  if (!given(message, key)) return std::string();
  if (!message[key].is_string()) return bad_value(fmt::format("{}.{}", where, key), describe(message[key]), "a string");
  return message[key].get<std::string>();
}

// What the model thought in an earlier turn, under the names that templates know.
std::optional<ApiError> add_reasoning(const Json& message, const std::string& where, OrderedJson* out) {
  for (const char* key : {"reasoning_content", "reasoning"}) {
    auto text = optional_string(message, key, where);
    if (!text) return text.error();
    if (text->empty()) continue;
    (*out)["reasoning_content"] = *text;
    const bool says = !(*out)["content"].get_ref<const std::string&>().empty();
    if (!says || !out->contains("tool_calls")) (*out)["thinking"] = *text;  // gpt-oss: not beside content
    break;
  }
  return std::nullopt;
}

ApiResult<OrderedJson> parse_message(const Json& message, const std::string& where) {
  if (!message.is_object()) return bad_value(where, describe(message), "an object with role and content");
  MLC_TRY(const std::string role, parse_role(message, where + ".role"));
  const bool assistant = role == "assistant";
  const bool calls = given(message, "tool_calls") || given(message, "function_call");
  if (calls && !assistant)
    return bad_value(where + ".tool_calls", "in a message of role " + role, "them from the assistant");
  OrderedJson out = {{"role", role}};
  const auto content = message.find("content");
  const bool silent = content == message.end() || content->is_null();
  if (silent && !(assistant && (calls || given(message, "reasoning_content")))) {
    const std::string found = content == message.end() ? "missing" : describe(*content);
    return bad_value(where + ".content", found, "a string or a list of text parts");
  }
  out["content"] = "";
  if (!silent) {
    MLC_TRY(out["content"], parse_content(*content, where + ".content"));
  }
  MLC_TRY(const std::string name, optional_string(message, "name", where));
  if (!name.empty()) out["name"] = name;
  if (calls) {
    MLC_TRY(out["tool_calls"], parse_calls(message, where));
  }
  if (assistant) {
    if (auto e = add_reasoning(message, where, &out)) return *e;
  }
  if (role != "tool") return out;
  MLC_TRY(const std::string id, optional_string(message, "tool_call_id", where));
  if (id.empty() && message["role"] == "tool") return bad_value(where + ".tool_call_id", "missing", "the id of a call");
  out["tool_call_id"] = id.empty() ? "call_0" : id;
  return out;
}

}  // namespace

ApiResult<OrderedJson> parse_messages(const Json& body) {
  const auto messages = body.find("messages");
  const char* expected = "a list of at least one message";
  if (messages == body.end()) return bad_value("messages", "missing", expected);
  if (!messages->is_array() || messages->empty()) return bad_value("messages", describe(*messages), expected);
  OrderedJson out = OrderedJson::array();
  std::map<std::string, std::string> names;  // of the calls so far, by id
  for (size_t i = 0; i < messages->size(); ++i) {
    MLC_TRY(OrderedJson message, parse_message((*messages)[i], fmt::format("messages[{}]", i)));
    if (message.contains("tool_calls")) {
      for (const OrderedJson& call : message["tool_calls"]) names[call["id"]] = call["function"]["name"];
    }
    if (message["role"] == "tool" && !message.contains("name")) {
      const auto it = names.find(message["tool_call_id"].get<std::string>());
      if (it != names.end()) message["name"] = it->second;
    }
    out.push_back(std::move(message));
  }
  return out;
}

}  // namespace mlc::protocol
