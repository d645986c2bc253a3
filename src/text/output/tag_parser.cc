#include "text/output/tag_parser.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "text/output/json_scanner.h"

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

// The JSON of a value: of its text where it is text, else the JSON that it is, if it is some.
std::string value_json(std::string_view text, bool is_text) {
  const auto quoted = [text] {
    return OrderedJson(std::string(text)).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  };
  if (is_text) return quoted();
  std::string word(trim(text));
  if (word == "True") word = "true";
  if (word == "False") word = "false";
  if (word == "None") word = "null";
  return is_whole_json(word) ? word : quoted();
}

bool all_text(const OrderedJson& values) {
  return values.is_array() && std::all_of(values.begin(), values.end(), [](const auto& v) { return v.is_string(); });
}

}  // namespace

bool is_text_parameter(const OrderedJson* schema) {
  if (!schema || !schema->is_object()) return true;
  if (const auto type = schema->find("type"); type != schema->end()) return takes_text(*type);
  if (const auto value = schema->find("const"); value != schema->end()) return value->is_string();
  if (const auto values = schema->find("enum"); values != schema->end()) return all_text(*values);
  constexpr std::string_view kCombined[] = {"anyOf", "oneOf", "allOf", "$ref", "not", "if"};
  return std::none_of(std::begin(kCombined), std::end(kCombined),
                      [schema](std::string_view key) { return schema->contains(std::string(key)); });
}

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
  if (!value_.ends_with(rules_.value_close) || in_json_string()) return;
  value_.resize(value_.size() - rules_.value_close.size());
  value_done();
  state_ = State::kInCall;
}

bool TagParser::is_text() const {
  const size_t at = key_.find(kIsString);
  if (at != std::string::npos) return std::string_view(key_).substr(at + kIsString.size()).starts_with("true");
  return is_text_parameter(tools_.parameter(name_, trim(key_)));
}

// A closing tag inside of a string of JSON is text.
bool TagParser::in_json_string() const {
  if (is_text()) return false;
  JsonScanner scanner;
  std::string out;
  for (const char c : value_) {
    if (!scanner.put(c, &out)) return false;
  }
  return scanner.in_string();
}

void TagParser::value_done() {
  std::string_view key = key_, value = value_;
  const bool text = is_text();
  if (const size_t at = key.find(kIsString); at != std::string_view::npos) {
    key = key.substr(0, at);
  } else {
    // A line break after the opening tag and one before the closing tag are the format's.
    if (rules_.value.empty() && value.starts_with('\n')) value.remove_prefix(1);
    if (rules_.value.empty() && value.ends_with('\n')) value.remove_suffix(1);
  }
  const std::string name =
      OrderedJson(std::string(trim(key))).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  out_.arguments((arguments_++ > 0 ? ", " : "") + name + ": " + value_json(value, text));
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
