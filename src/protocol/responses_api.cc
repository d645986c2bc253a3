// The answer half of responses_api.h.
#include "protocol/responses_api.h"

namespace mlc::protocol {
namespace {

std::string item_id(const AnswerItem& item) {
  const char* prefix = item.kind == AnswerItem::kCall ? "fc_" : item.kind == AnswerItem::kText ? "msg_" : "rs_";
  return prefix + item.id;
}

OrderedJson text_part(const AnswerItem& item, bool filled) {
  const std::string text = filled ? item.text : "";
  if (item.kind == AnswerItem::kReasoning) return {{"type", "reasoning_text"}, {"text", text}};
  return {{"type", "output_text"},
          {"text", text},
          {"annotations", OrderedJson::array()},
          {"logprobs", OrderedJson::array()}};
}

// An item as it stands when it begins (`done` false) or has ended.
OrderedJson item_json(const AnswerItem& item, bool done, bool cut_off) {
  const char* status = !done ? "in_progress" : cut_off ? "incomplete" : "completed";
  OrderedJson parts = OrderedJson::array();
  if (done && item.kind != AnswerItem::kCall) parts.push_back(text_part(item, true));
  switch (item.kind) {
    case AnswerItem::kCall:
      return {{"id", item_id(item)},     {"type", "function_call"}, {"status", status},
              {"call_id", item.call_id}, {"name", item.name},       {"arguments", done ? item.text : ""}};
    case AnswerItem::kText:
      return {{"id", item_id(item)},
              {"type", "message"},
              {"status", status},
              {"role", "assistant"},
              {"content", std::move(parts)}};
    case AnswerItem::kReasoning:
      return {{"id", item_id(item)},
              {"type", "reasoning"},
              {"status", status},
              {"summary", OrderedJson::array()},
              {"content", std::move(parts)}};
  }
  return {};
}

class ResponsesAnswer final : public ItemAnswer {
 public:
  ResponsesAnswer(std::unique_ptr<Generation> generation, const ResponsesRequest& request)
      : ItemAnswer(std::move(generation), request.stream), shown_(request.shown), id_("resp_" + random_hex()) {}

 protected:
  std::string begin() override {
    std::string out = event("response.created", {{"response", response("in_progress")}});
    out += event("response.in_progress", {{"response", response("in_progress")}});
    return out;
  }

  std::string start(const AnswerItem& item) override {
    std::string out =
        event("response.output_item.added", {{"output_index", item.index}, {"item", item_json(item, false, false)}});
    if (item.kind != AnswerItem::kCall) out += part_event("response.content_part.added", item, false);
    return out;
  }

  std::string grow(const AnswerItem& item, const std::string& more) override {
    OrderedJson data = place(item);
    data["delta"] = more;
    if (item.kind == AnswerItem::kText) data["logprobs"] = OrderedJson::array();
    return event(kind_name(item) + ".delta", std::move(data));
  }

  std::string end(const AnswerItem& item) override {
    OrderedJson data = place(item);
    if (item.kind == AnswerItem::kCall) data["name"] = item.name;
    data[item.kind == AnswerItem::kCall ? "arguments" : "text"] = item.text;
    if (item.kind == AnswerItem::kText) data["logprobs"] = OrderedJson::array();
    std::string out = event(kind_name(item) + ".done", std::move(data));
    if (item.kind != AnswerItem::kCall) out += part_event("response.content_part.done", item, true);
    out +=
        event("response.output_item.done", {{"output_index", item.index}, {"item", item_json(item, true, cut_off())}});
    return out;
  }

  std::string complete() override {
    return cut_off() ? event("response.incomplete", {{"response", whole()}})
                     : event("response.completed", {{"response", whole()}});
  }

  OrderedJson whole() override {
    OrderedJson r = response(cut_off() ? "incomplete" : "completed");
    const AnswerFacts f = facts();
    r["usage"] = {{"input_tokens", f.prompt_tokens},
                  {"input_tokens_details", {{"cached_tokens", cached_tokens()}, {"cache_write_tokens", 0}}},
                  {"output_tokens", f.completion_tokens},
                  {"output_tokens_details", {{"reasoning_tokens", reasoning_tokens()}}},
                  {"total_tokens", f.prompt_tokens + f.completion_tokens}};
    return r;
  }

  std::string break_off(const ApiError& e) override {
    OrderedJson r = response("failed");
    r["error"] = {{"code", "server_error"}, {"message", e.message}};
    return event("response.failed", {{"response", std::move(r)}});
  }

 private:
  bool cut_off() const { return finish_reason() == "length"; }

  std::string event(const std::string& name, OrderedJson fields) {
    OrderedJson data = {{"type", name}, {"sequence_number", sequence_++}};
    data.update(fields);
    return sse_event(name, data);
  }
  static std::string kind_name(const AnswerItem& item) {
    return item.kind == AnswerItem::kCall   ? "response.function_call_arguments"
           : item.kind == AnswerItem::kText ? "response.output_text"
                                            : "response.reasoning_text";
  }
  static OrderedJson place(const AnswerItem& item) {
    OrderedJson data = {{"item_id", item_id(item)}, {"output_index", item.index}};
    if (item.kind != AnswerItem::kCall) data["content_index"] = 0;
    return data;
  }
  std::string part_event(const std::string& name, const AnswerItem& item, bool filled) {
    OrderedJson data = place(item);
    data["part"] = text_part(item, filled);
    return event(name, std::move(data));
  }

  OrderedJson response(const std::string& status) const {
    OrderedJson output = OrderedJson::array();
    if (status != "in_progress") {
      for (const AnswerItem& item : items()) {
        output.push_back(item_json(item, true, cut_off() && item.index + 1 == items().size()));
      }
    }
    OrderedJson r = {{"id", id_},
                     {"object", "response"},
                     {"created_at", created_},
                     {"status", status},
                     {"background", false},
                     {"error", nullptr},
                     {"incomplete_details", nullptr},
                     {"model", facts().model},
                     {"output", std::move(output)}};
    if (status == "completed") r["completed_at"] = unix_seconds();
    if (status == "incomplete") r["incomplete_details"] = {{"reason", "max_output_tokens"}};
    r.update(shown_);
    return r;
  }

  const OrderedJson shown_;
  const std::string id_;
  const int64_t created_ = unix_seconds();
  int64_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<Answer> make_responses_answer(std::unique_ptr<Generation> generation, const ResponsesRequest& request) {
  return std::make_unique<ResponsesAnswer>(std::move(generation), request);
}

}  // namespace mlc::protocol
