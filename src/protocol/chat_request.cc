#include "protocol/chat_request.h"

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
    if (*type != "text") {
      return unsupported(where + ".type",
                         fmt::format("'{}.type' is {}; only \"text\" parts are supported: the model reads no images "
                                     "or sound.",
                                     where, describe(*type)));
    }
    const auto text = part.find("text");
    if (text == part.end()) return bad_value(where + ".text", "missing", "a string");
    if (!text->is_string()) return bad_value(where + ".text", describe(*text), "a string");
    if (i > 0) joined += '\n';
    joined += text->get_ref<const std::string&>();
  }
  return joined;
}

ApiResult<std::string> parse_role(const Json& message, const std::string& param) {
  const auto role = message.find("role");
  const char* expected = "\"system\", \"developer\", \"user\" or \"assistant\"";
  if (role == message.end()) return bad_value(param, "missing", expected);
  if (*role == "developer") return std::string("system");  // OpenAI's newer name for the same thing
  if (*role == "system" || *role == "user" || *role == "assistant") return role->get<std::string>();
  if (*role == "tool" || *role == "function") {
    return unsupported(
        param, fmt::format("'{}' is {}; tool calls are not supported in this version.", param, describe(*role)));
  }
  return bad_value(param, describe(*role), expected);
}

ApiResult<OrderedJson> parse_message(const Json& message, const std::string& where) {
  if (!message.is_object()) return bad_value(where, describe(message), "an object with role and content");
  MLC_TRY(const std::string role, parse_role(message, where + ".role"));
  const auto calls = message.find("tool_calls");
  if (calls != message.end() && !calls->is_null() && !calls->empty()) {
    return unsupported(where + ".tool_calls",
                       fmt::format("'{}.tool_calls': tool calls are not supported in this version.", where));
  }
  const auto content = message.find("content");
  if (content == message.end()) return bad_value(where + ".content", "missing", "a string or a list of text parts");
  MLC_TRY(std::string text, parse_content(*content, where + ".content"));
  OrderedJson out = {{"role", role}, {"content", std::move(text)}};
  if (const auto name = message.find("name"); name != message.end() && !name->is_null()) {
    if (!name->is_string()) return bad_value(where + ".name", describe(*name), "a string");
    out["name"] = name->get<std::string>();
  }
  return out;
}

ApiResult<OrderedJson> parse_messages(const Json& body) {
  const auto messages = body.find("messages");
  const char* expected = "a list of at least one message";
  if (messages == body.end()) return bad_value("messages", "missing", expected);
  if (!messages->is_array() || messages->empty()) return bad_value("messages", describe(*messages), expected);
  OrderedJson out = OrderedJson::array();
  for (size_t i = 0; i < messages->size(); ++i) {
    MLC_TRY(OrderedJson message, parse_message((*messages)[i], fmt::format("messages[{}]", i)));
    out.push_back(std::move(message));
  }
  return out;
}

void read_chat_logprobs(Fields& f, GenerationParams* p) {
  const bool logprobs = f.boolean("logprobs").value_or(false);
  const auto top = f.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top && *top > 0 && !logprobs) {
    return f.fail(bad_value("top_logprobs", "given without \"logprobs\": true", "both together"));
  }
  if (logprobs) p->num_logprobs = static_cast<int>(top.value_or(0));
}

}  // namespace

ApiResult<ChatRequest> parse_chat_request(const Json& body, const GenerationDefaults& defaults) {
  ChatRequest request;
  Fields f(body);
  MLC_TRY(request.messages, parse_messages(body));
  request.params = read_generation_params(f, defaults);
  read_chat_logprobs(f, &request.params);
  if (auto limit = f.integer("max_tokens", 1, INT64_MAX)) request.params.max_tokens = *limit;
  if (auto limit = f.integer("max_completion_tokens", 1, INT64_MAX)) request.params.max_tokens = *limit;
  if (const Json* extra = f.object("chat_template_kwargs")) request.template_kwargs = OrderedJson(*extra);
  check_limits(f, request.params);
  request.add_generation_prompt = f.boolean("add_generation_prompt").value_or(true);
  if (f.failed()) return f.error();
  return request;
}

}  // namespace mlc::protocol
