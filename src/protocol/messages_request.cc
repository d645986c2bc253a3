// The request half of messages_api.h.
#include "protocol/json_fields.h"
#include "protocol/messages_api.h"

namespace mlc::protocol {
namespace {

// "text", or a list of text blocks; as chat completions have it.
ApiResult<Json> text_blocks(const Json& content, const std::string& where) {
  if (content.is_string()) return content;
  if (!content.is_array()) return bad_value(where, describe(content), "a string or a list of blocks");
  Json parts = Json::array();
  for (size_t i = 0; i < content.size(); ++i) {
    const Json& block = content[i];
    const std::string at = fmt::format("{}[{}]", where, i);
    if (!block.is_object()) return bad_value(at, describe(block), "an object with a type");
    if (block.value("type", Json()) != "text") {
      return unsupported(at + ".type", fmt::format("'{}.type' is {}; only \"text\" is supported here.", at,
                                                   block.contains("type") ? describe(block["type"]) : "missing"));
    }
    const auto text = block.find("text");
    if (text == block.end() || !text->is_string()) {
      return bad_value(at + ".text", text == block.end() ? "missing" : describe(*text), "a string");
    }
    parts.push_back({{"type", "text"}, {"text", *text}});
  }
  return parts;
}

ApiResult<Json> field(const Json& block, const char* name, Json::value_t type, const char* expected,
                      const std::string& where) {
  const auto it = block.find(name);
  if (it != block.end() && it->type() == type) return *it;
  return bad_value(where + "." + name, it == block.end() ? "missing" : describe(*it), expected);
}

// One message of the request becomes one of the assistant, or the tool results it holds and then one of the user.
class BlockReader {
 public:
  std::optional<ApiError> message(const Json& m, const std::string& where) {
    if (!m.is_object()) return bad_value(where, describe(m), "an object with role and content");
    const Json role = m.value("role", Json());
    if (role != "user" && role != "assistant") {
      return bad_value(where + ".role", m.contains("role") ? describe(role) : "missing", "\"user\" or \"assistant\"");
    }
    const auto content = m.find("content");
    if (content == m.end()) return bad_value(where + ".content", "missing", "a string or a list of blocks");
    text_ = Json::array();
    calls_ = Json::array();
    thinking_.clear();
    if (content->is_string()) {
      messages.push_back({{"role", role}, {"content", *content}});
      return std::nullopt;
    }
    if (!content->is_array()) return bad_value(where + ".content", describe(*content), "a string or a list of blocks");
    for (size_t i = 0; i < content->size(); ++i) {
      auto e = block((*content)[i], role == "assistant", fmt::format("{}.content[{}]", where, i));
      if (e) return e;
    }
    const bool says_something = !text_.empty() || !calls_.empty() || !thinking_.empty();
    if (!says_something) return std::nullopt;  // results only
    Json out = {{"role", role}, {"content", text_.empty() ? Json("") : text_}};
    if (!calls_.empty()) out["tool_calls"] = calls_;
    if (!thinking_.empty()) out["reasoning_content"] = thinking_;
    messages.push_back(std::move(out));
    return std::nullopt;
  }
  Json messages = Json::array();

 private:
  std::optional<ApiError> block(const Json& b, bool assistant, const std::string& where) {
    if (!b.is_object()) return bad_value(where, describe(b), "an object with a type");
    const Json type = b.value("type", Json());
    if (type == "text") {
      auto text = field(b, "text", Json::value_t::string, "a string", where);
      if (!text) return text.error();
      text_.push_back({{"type", "text"}, {"text", *text}});
      return std::nullopt;
    }
    if (assistant && type == "tool_use") return tool_use(b, where);
    if (!assistant && type == "tool_result") return tool_result(b, where);
    if (assistant && type == "thinking") {
      auto text = field(b, "thinking", Json::value_t::string, "a string", where);
      if (!text) return text.error();
      thinking_ += text->get<std::string>();
      return std::nullopt;
    }
    if (assistant && type == "redacted_thinking") return std::nullopt;
    return unsupported(
        where + ".type",
        fmt::format("'{}.type' is {}; supported here: {}.", where, b.contains("type") ? describe(type) : "missing",
                    assistant ? "text, thinking and tool_use" : "text and tool_result"));
  }
  std::optional<ApiError> tool_use(const Json& b, const std::string& where) {
    auto id = field(b, "id", Json::value_t::string, "a string", where);
    if (!id) return id.error();
    auto name = field(b, "name", Json::value_t::string, "a string", where);
    if (!name) return name.error();
    auto input = field(b, "input", Json::value_t::object, "an object", where);
    if (!input) return input.error();
    calls_.push_back(
        {{"id", *id}, {"type", "function"}, {"function", {{"name", *name}, {"arguments", input->dump()}}}});
    return std::nullopt;
  }
  std::optional<ApiError> tool_result(const Json& b, const std::string& where) {
    auto id = field(b, "tool_use_id", Json::value_t::string, "a string", where);
    if (!id) return id.error();
    const auto content = b.find("content");
    Json parts = "";
    if (content != b.end() && !content->is_null()) {
      auto read = text_blocks(*content, where + ".content");
      if (!read) return read.error();
      parts = std::move(*read);
    }
    messages.push_back({{"role", "tool"}, {"tool_call_id", *id}, {"content", std::move(parts)}});
    return std::nullopt;
  }

  Json text_, calls_;
  std::string thinking_;
};

ApiResult<Json> parse_conversation(const Json& body) {
  BlockReader reader;
  if (const auto system = body.find("system"); system != body.end() && !system->is_null()) {
    MLC_TRY(Json text, text_blocks(*system, "system"));
    reader.messages.push_back({{"role", "system"}, {"content", std::move(text)}});
  }
  const auto messages = body.find("messages");
  const char* expected = "a list of at least one message";
  if (messages == body.end()) return bad_value("messages", "missing", expected);
  if (!messages->is_array() || messages->empty()) return bad_value("messages", describe(*messages), expected);
  for (size_t i = 0; i < messages->size(); ++i) {
    if (auto e = reader.message((*messages)[i], fmt::format("messages[{}]", i))) return *e;
  }
  return std::move(reader.messages);
}

std::optional<ApiError> translate_tools(const Json& body, Json* chat) {
  const auto tools = body.find("tools");
  if (tools != body.end() && !tools->is_null()) {
    if (!tools->is_array()) return bad_value("tools", describe(*tools), "a list of tools");
    Json out = Json::array();
    for (size_t i = 0; i < tools->size(); ++i) {
      const Json& tool = (*tools)[i];
      const std::string where = fmt::format("tools[{}]", i);
      if (!tool.is_object()) return bad_value(where, describe(tool), "an object with name and input_schema");
      const Json type = tool.value("type", Json("custom"));
      if (type != "custom") {
        return unsupported(where + ".type", fmt::format("'{}.type' is {}; only tools of the client are supported.",
                                                        where, describe(type)));
      }
      auto name = field(tool, "name", Json::value_t::string, "a string", where);
      if (!name) return name.error();
      auto schema = field(tool, "input_schema", Json::value_t::object, "a JSON schema", where);
      if (!schema) return schema.error();
      Json function = {{"name", *name}, {"parameters", *schema}};
      if (tool.contains("description")) function["description"] = tool["description"];
      out.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
    (*chat)["tools"] = std::move(out);
  }
  Fields f(body);
  const Json* choice = f.object("tool_choice");
  if (f.failed()) return f.error();
  if (choice == nullptr) return std::nullopt;
  const Json type = choice->value("type", Json());
  if (type == "auto" || type == "none") {
    (*chat)["tool_choice"] = type;
  } else if (type == "any") {
    (*chat)["tool_choice"] = "required";
  } else if (type == "tool") {
    auto name = field(*choice, "name", Json::value_t::string, "a string", "tool_choice");
    if (!name) return name.error();
    (*chat)["tool_choice"] = {{"type", "function"}, {"function", {{"name", *name}}}};
  } else {
    return bad_value("tool_choice.type", describe(type), "\"auto\", \"any\", \"tool\" or \"none\"");
  }
  if (choice->value("disable_parallel_tool_use", Json()) == true) (*chat)["parallel_tool_calls"] = false;
  return std::nullopt;
}

}  // namespace

ApiResult<MessagesRequest> parse_messages_request(const Json& body, bool counting) {
  MessagesRequest r;
  copy_common_fields(body, &r.chat);
  r.chat.erase("user");
  MLC_TRY(r.chat["messages"], parse_conversation(body));
  if (auto e = translate_tools(body, &r.chat)) return *e;
  Fields f(body);
  const auto limit = f.integer("max_tokens", 1, INT64_MAX);
  if (!limit && !counting && !f.failed()) f.fail(bad_value("max_tokens", "missing", "an integer of at least 1"));
  if (limit) r.chat["max_tokens"] = *limit;
  if (const Json* stops = f.find("stop_sequences")) r.chat["stop"] = *stops;
  if (const Json* thinking = f.object("thinking")) {
    const Json type = thinking->value("type", Json());
    r.chat["chat_template_kwargs"]["enable_thinking"] = type == "enabled" || type == "adaptive";
  }
  r.stream = !counting && f.boolean("stream").value_or(false);
  if (f.failed()) return f.error();
  r.chat["stream"] = r.stream;
  if (r.stream) r.chat["stream_options"] = {{"include_usage", true}};
  return r;
}

}  // namespace mlc::protocol
