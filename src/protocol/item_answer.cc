#include "protocol/item_answer.h"

#include <utility>

namespace mlc::protocol {
namespace {

std::string text_of(const OrderedJson& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

int64_t detail(const OrderedJson& usage, const char* group, const char* key) {
  const auto it = usage.find(group);
  return it != usage.end() && it->is_object() ? it->value(key, int64_t{0}) : 0;
}

}  // namespace

std::string ItemAnswer::begin_once() { return std::exchange(begun_, true) ? "" : begin(); }

std::string ItemAnswer::translate(const OrderedJson& chunk) {
  std::string out = begin_once();
  for (const OrderedJson& choice : chunk["choices"]) {
    if (choice.contains("delta")) out += feed(choice["delta"]);
    if (const std::string reason = text_of(choice, "finish_reason"); !reason.empty()) finish_reason_ = reason;
  }
  read_usage(chunk);
  return out;
}

std::string ItemAnswer::closing() {
  std::string out = begin_once();
  out += close_open();
  return out + complete();
}

OrderedJson ItemAnswer::translate_whole(OrderedJson body) {
  (void)begin_once();
  const OrderedJson& choice = body["choices"][0];
  (void)feed(choice["message"]);
  (void)close_open();
  finish_reason_ = text_of(choice, "finish_reason");
  read_usage(body);
  return whole();
}

void ItemAnswer::read_usage(const OrderedJson& body) {
  const auto usage = body.find("usage");
  if (usage == body.end() || !usage->is_object()) return;
  cached_tokens_ = detail(*usage, "prompt_tokens_details", "cached_tokens");
  reasoning_tokens_ = detail(*usage, "completion_tokens_details", "reasoning_tokens");
}

// A delta of a stream, or a whole message: both have the same fields.
std::string ItemAnswer::feed(const OrderedJson& delta) {
  std::string out = add(AnswerItem::kReasoning, text_of(delta, "reasoning_content"));
  out += add(AnswerItem::kText, text_of(delta, "content"));
  if (const auto calls = delta.find("tool_calls"); calls != delta.end() && calls->is_array()) {
    for (const OrderedJson& call : *calls) out += add_call(call);
  }
  return out;
}

std::string ItemAnswer::add(AnswerItem::Kind kind, const std::string& more) {
  if (more.empty()) return "";
  std::string out;
  if (!open_ || items_.back().kind != kind) {
    AnswerItem item;
    item.kind = kind;
    out += open(std::move(item));
  }
  items_.back().text += more;
  return out + grow(items_.back(), more);
}

// Deltas of one call share its index; the calls of a whole message have none.
std::string ItemAnswer::add_call(const OrderedJson& call) {
  const OrderedJson function = call.value("function", OrderedJson::object());
  const auto index = call.find("index");
  const int64_t at = index == call.end() ? -1 : index->get<int64_t>();
  std::string out;
  const bool goes_on = open_ && items_.back().kind == AnswerItem::kCall && at >= 0 && at == call_index_;
  if (!goes_on) {
    AnswerItem item;
    item.kind = AnswerItem::kCall;
    item.call_id = text_of(call, "id");
    item.name = text_of(function, "name");
    out += open(std::move(item));
    call_index_ = at;
  }
  const std::string more = text_of(function, "arguments");
  if (more.empty()) return out;
  items_.back().text += more;
  return out + grow(items_.back(), more);
}

std::string ItemAnswer::open(AnswerItem item) {
  std::string out = close_open();
  item.index = items_.size();
  item.id = random_hex();
  items_.push_back(std::move(item));
  open_ = true;
  return out + start(items_.back());
}

std::string ItemAnswer::close_open() { return std::exchange(open_, false) ? end(items_.back()) : ""; }

void copy_common_fields(const Json& from, Json* to) {
  for (const char* key : {"model", "temperature", "top_p", "top_k", "min_p", "seed", "repetition_penalty",
                          "presence_penalty", "frequency_penalty", "logit_bias", "ignore_eos", "min_tokens",
                          "chat_template_kwargs", "cache_salt", "priority", "user"}) {
    if (const auto it = from.find(key); it != from.end()) (*to)[key] = *it;
  }
}

}  // namespace mlc::protocol
