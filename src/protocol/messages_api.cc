// The answer half of messages_api.h.
#include "protocol/messages_api.h"

#include <algorithm>

namespace mlc::protocol {
namespace {

class MessagesAnswer final : public ItemAnswer {
 public:
  MessagesAnswer(std::unique_ptr<Generation> generation, bool stream)
      : ItemAnswer(std::move(generation), stream), id_("msg_" + random_hex()) {}
  OrderedJson error_json(const ApiError& e) const override { return messages_error(e); }

 protected:
  std::string begin() override {
    OrderedJson message = head();
    message["content"] = OrderedJson::array();
    message["stop_reason"] = nullptr;
    message["stop_sequence"] = nullptr;
    message["usage"] = usage(0);
    return event("message_start", {{"message", std::move(message)}});
  }

  std::string start(const AnswerItem& item) override {
    return event("content_block_start", {{"index", item.index}, {"content_block", block(item, false)}});
  }

  std::string grow(const AnswerItem& item, const std::string& more) override {
    OrderedJson delta;
    switch (item.kind) {
      case AnswerItem::kText:
        delta = {{"type", "text_delta"}, {"text", more}};
        break;
      case AnswerItem::kReasoning:
        delta = {{"type", "thinking_delta"}, {"thinking", more}};
        break;
      case AnswerItem::kCall:
        delta = {{"type", "input_json_delta"}, {"partial_json", more}};
        break;
    }
    return event("content_block_delta", {{"index", item.index}, {"delta", std::move(delta)}});
  }

  std::string end(const AnswerItem& item) override { return event("content_block_stop", {{"index", item.index}}); }

  std::string complete() override {
    return event("message_delta", {{"delta", {{"stop_reason", stop_reason()}, {"stop_sequence", nullptr}}},
                                   {"usage", usage(facts().completion_tokens)}}) +
           event("message_stop", OrderedJson::object());
  }

  std::string break_off(const ApiError& e) override { return sse_event("error", messages_error(e)); }

  OrderedJson whole() override {
    OrderedJson message = head();
    message["content"] = OrderedJson::array();
    for (const AnswerItem& item : items()) message["content"].push_back(block(item, true));
    message["stop_reason"] = stop_reason();
    message["stop_sequence"] = nullptr;
    message["usage"] = usage(facts().completion_tokens);
    return message;
  }

 private:
  static std::string event(const std::string& name, const OrderedJson& fields) {
    OrderedJson data = {{"type", name}};
    data.update(fields);
    return sse_event(name, data);
  }
  OrderedJson head() const {
    return {{"id", id_}, {"type", "message"}, {"role", "assistant"}, {"model", facts().model}};
  }
  // Prompt tokens that the prefix cache had count as read from it, not as input.
  OrderedJson usage(int64_t output_tokens) const {
    return {{"input_tokens", facts().prompt_tokens - cached_tokens()},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", cached_tokens()},
            {"output_tokens", output_tokens}};
  }
  static OrderedJson block(const AnswerItem& item, bool filled) {
    const std::string text = filled ? item.text : "";
    if (item.kind == AnswerItem::kText) return {{"type", "text"}, {"text", text}};
    if (item.kind == AnswerItem::kReasoning) return {{"type", "thinking"}, {"thinking", text}, {"signature", ""}};
    OrderedJson input = filled ? OrderedJson::parse(text, nullptr, false) : OrderedJson::object();
    if (!input.is_object()) input = OrderedJson::object();
    return {{"type", "tool_use"}, {"id", item.call_id}, {"name", item.name}, {"input", std::move(input)}};
  }
  std::string stop_reason() const {
    if (finish_reason() == "length") return "max_tokens";
    const bool calls = std::any_of(items().begin(), items().end(),
                                   [](const AnswerItem& item) { return item.kind == AnswerItem::kCall; });
    return calls ? "tool_use" : "end_turn";
  }

  const std::string id_;
};

}  // namespace

std::unique_ptr<Answer> make_messages_answer(std::unique_ptr<Generation> generation, bool stream) {
  return std::make_unique<MessagesAnswer>(std::move(generation), stream);
}

OrderedJson messages_error(const ApiError& e) {
  const char* type = e.status == 401   ? "authentication_error"
                     : e.status == 403 ? "permission_error"
                     : e.status == 404 ? "not_found_error"
                     : e.status == 413 ? "request_too_large"
                     : e.status == 429 ? "rate_limit_error"
                     : e.status == 503 ? "overloaded_error"
                     : e.status >= 500 ? "api_error"
                                       : "invalid_request_error";
  return {{"type", "error"}, {"error", {{"type", type}, {"message", e.message}}}};
}

}  // namespace mlc::protocol
