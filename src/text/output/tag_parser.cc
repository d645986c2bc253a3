#include "text/output/tag_parser.h"

#include <cctype>

namespace mlc::text {
namespace {

constexpr size_t kMaxName = 300;
// DeepSeek: <parameter name="city" string="true">
constexpr std::string_view kIsString = "\" string=\"";

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_.:/-").find(c) != std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool takes_text(const OrderedJson& type) {
  if (type.is_string()) return type == "string";
  return type.is_array() && std::find(type.begin(), type.end(), "string") != type.end();
}

// The JSON of a value written as text. `schema` may be null: then it is text.
std::string value_json(std::string_view text, const OrderedJson* schema) {
  const auto quoted = [text] {
    return OrderedJson(std::string(text)).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  };
  const bool any = schema && schema->is_object() && schema->contains("type");
  if (!any && !(schema && schema->is_object() && (schema->contains("anyOf") || schema->contains("$ref"))))
    return quoted();
  if (any && takes_text((*schema)["type"])) return quoted();
  std::string word(trim(text));
  if (word == "True") word = "true";
  if (word == "False") word = "false";
  if (word == "None") word = "null";
  return OrderedJson::accept(word) ? word : quoted();
}

}  // namespace

TagParser::TagParser(const TagRules& rules, const ToolNames& tools, EventList* out)
    : ToolParser(out), rules_(rules), tools_(tools), opens_(rules.opens), closes_(rules.closes) {
  if (!rules_.call.empty()) opens_.push_back(rules_.call);  // models forget the tag around it
  in_call_ = {rules_.key};
  if (!rules_.call_close.empty()) in_call_.push_back(rules_.call_close);
  if (rules_.call_close.empty()) in_call_.insert(in_call_.end(), closes_.begin(), closes_.end());
}

void TagParser::put(char c) {
  switch (state_) {
    case State::kText:
      return put_text(c);
    case State::kOpened:
      return put_opened(c);
    case State::kName:
      return put_name(c);
    case State::kInCall:
      return put_in_call(c);
    case State::kKey:
      return put_key(c);
    case State::kToValue:
      return put_to_value(c);
    case State::kValue:
      return put_value(c);
    case State::kAfterCall:
      return put_after_call(c);
  }
}

void TagParser::requeue(std::string text) {
  for (const char c : text) put(c);
}

void TagParser::put_text(char c) {
  held_ += c;
  if (is_one_of(held_, opens_)) {
    const bool call = held_ == rules_.call;
    raw_ = std::exchange(held_, {});
    name_.clear();
    told_ = false;
    state_ = call || rules_.call.empty() ? State::kName : State::kOpened;
    return;
  }
  if (begins_one_of(held_, opens_)) return;
  const std::string text = std::exchange(held_, {});
  out_.content(text.substr(0, 1));
  requeue(text.substr(1));
}

void TagParser::broken(char c) {
  if (told_) {
    out_.break_call(std::exchange(raw_, {}));
  } else {
    out_.content(std::exchange(raw_, {}));
  }
  held_.clear();
  told_ = false;
  state_ = State::kText;
  put(c);
}

void TagParser::put_opened(char c) {
  if (held_.empty() && is_space(c)) {
    raw_ += c;
    return;
  }
  if (!rules_.call.starts_with(held_ + c)) return broken(c);
  raw_ += c;
  held_ += c;
  if (held_ != rules_.call) return;
  held_.clear();
  name_.clear();
  told_ = false;
  state_ = State::kName;
}

void TagParser::put_name(char c) {
  // Without a tag of its own the name ends at a line's end, or at the first parameter or the end of the call.
  if (rules_.call.empty()) {
    if (name_.empty() && is_space(c)) {
      raw_ += c;
    } else if (is_name_char(c) && name_.size() < kMaxName) {
      raw_ += c;
      name_ += c;
    } else if (!name_.empty() && (is_space(c) || c == rules_.key[0])) {
      begin_call(name_);
      put(c);
    } else {
      broken(c);
    }
    return;
  }
  const std::string longer = name_ + c;
  if (longer.ends_with(rules_.call_end)) {
    raw_ += c;
    const std::string name(trim(std::string_view(longer).substr(0, longer.size() - rules_.call_end.size())));
    if (name.empty()) return broken('\n');
    return begin_call(name);
  }
  if (longer.size() > kMaxName || (!is_name_char(c) && held_back(longer, {rules_.call_end}) == 0)) return broken(c);
  raw_ += c;
  name_ = longer;
}

void TagParser::begin_call(std::string_view name) {
  name_ = std::string(name);
  out_.begin_call(name_);
  out_.arguments("{");
  told_ = true;
  arguments_ = 0;
  state_ = State::kInCall;
}

void TagParser::end_call(State next) {
  out_.arguments("}");
  out_.end_call();
  raw_.clear();
  gap_.clear();
  held_.clear();
  told_ = false;
  state_ = next;
}

void TagParser::put_in_call(char c) {
  if (held_.empty() && is_space(c)) {
    raw_ += c;
    return;
  }
  if (!begins_one_of(held_ + c, in_call_)) return broken(c);
  raw_ += c;
  held_ += c;
  if (held_ == rules_.key) {
    held_.clear();
    key_.clear();
    state_ = State::kKey;
  } else if (is_one_of(held_, in_call_)) {
    end_call(State::kAfterCall);
  }
}

void TagParser::put_key(char c) {
  raw_ += c;
  key_ += c;
  if (key_.size() > kMaxName) return broken('\n');
  if (!key_.ends_with(rules_.key_end)) return;
  key_.resize(key_.size() - rules_.key_end.size());
  value_.clear();
  state_ = rules_.value.empty() ? State::kValue : State::kToValue;
}

void TagParser::put_to_value(char c) {
  if (held_.empty() && is_space(c)) {
    raw_ += c;
    return;
  }
  if (!rules_.value.starts_with(held_ + c)) return broken(c);
  raw_ += c;
  held_ += c;
  if (held_ != rules_.value) return;
  held_.clear();
  state_ = State::kValue;
}

void TagParser::put_value(char c) {
  raw_ += c;
  value_ += c;
  if (!value_.ends_with(rules_.value_close)) return;
  value_.resize(value_.size() - rules_.value_close.size());
  value_done();
  state_ = State::kInCall;
}

void TagParser::value_done() {
  std::string_view key = key_, value = value_;
  const OrderedJson text = {{"type", "string"}}, other = {{"type", "other"}};
  const OrderedJson* schema = nullptr;
  if (const size_t at = key.find(kIsString); at != std::string_view::npos) {
    schema = key.substr(at + kIsString.size()).starts_with("true") ? &text : &other;
    key = key.substr(0, at);
  } else {
    schema = tools_.parameter(name_, trim(key));
    // A line break after the opening tag and one before the closing tag are the format's.
    if (rules_.value.empty() && value.starts_with('\n')) value.remove_prefix(1);
    if (rules_.value.empty() && value.ends_with('\n')) value.remove_suffix(1);
  }
  const std::string name =
      OrderedJson(std::string(trim(key))).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  out_.arguments((arguments_++ > 0 ? ", " : "") + name + ": " + value_json(value, schema));
}

void TagParser::put_after_call(char c) {
  if (held_.empty() && is_space(c)) {
    gap_ += c;
    return;
  }
  held_ += c;
  if (is_one_of(held_, opens_)) {
    const std::string mark = std::exchange(held_, {});
    gap_.clear();
    state_ = State::kText;
    requeue(mark);
  } else if (is_one_of(held_, closes_)) {
    held_.clear();
    gap_.clear();
  } else if (!begins_one_of(held_, opens_) && !begins_one_of(held_, closes_)) {
    const std::string text = std::exchange(held_, {});
    out_.content(std::exchange(gap_, {}));
    state_ = State::kText;
    requeue(text);
  }
}

void TagParser::end(bool truncated) {
  if (state_ == State::kText || state_ == State::kAfterCall) {
    out_.content(std::exchange(gap_, {}) + std::exchange(held_, {}));
    return;
  }
  if (state_ == State::kInCall && held_.empty() && !truncated) return end_call(State::kText);  // a tag is missing
  if (!told_) {
    out_.content(std::exchange(raw_, {}));
  } else if (!truncated) {
    out_.break_call(std::exchange(raw_, {}));
  }
}

}  // namespace mlc::text
