#include "text/output/python_parser.h"

#include <cctype>

#include "text/output/json_scanner.h"
#include "text/output/python_literal.h"

namespace mlc::text {
namespace {

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-'; }

bool is_identifier(std::string_view text) {
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_name_char(c) && c != '.'; });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

}  // namespace

PythonParser::PythonParser(const PythonRules& rules, const ToolNames& tools, EventList* out)
    : ToolParser(out), rules_(rules), tools_(tools) {}

void PythonParser::put(char c) {
  switch (state_) {
    case State::kText:
      return put_text(c);
    case State::kList:
    case State::kName:
      return put_name(c);
    case State::kArgument:
      return put_argument(c);
    case State::kNext:
      return put_next(c);
    case State::kAfter:
      return put_after(c);
  }
}

void PythonParser::put_text(char c) {
  if (fresh_ && held_.empty() && (c == '[' || tools_.any_begins_with({&c, 1}))) {
    fresh_ = marked_ = any_ = false;
    raw_.clear();
    name_.clear();
    list_ = false;
    state_ = State::kList;
    return put_name(c);
  }
  held_ += c;
  if (is_one_of(held_, rules_.opens)) {
    raw_ = std::exchange(held_, {});
    name_.clear();
    fresh_ = any_ = list_ = false;
    marked_ = true;
    state_ = State::kList;
    return;
  }
  if (begins_one_of(held_, rules_.opens)) return;
  const std::string text = std::exchange(held_, {});
  fresh_ = fresh_ && is_space(text[0]);
  out_.content(text.substr(0, 1));
  for (const char later : std::string_view(text).substr(1)) put(later);
}

// What was read so far is no call: content, and `c` after it.
void PythonParser::fall_back(char c) {
  out_.content(std::exchange(raw_, {}));
  state_ = State::kText;
  put(c);
}

void PythonParser::put_name(char c) {
  if (state_ == State::kList && c == '[' && !list_ && name_.empty()) {
    raw_ += c;
    list_ = true;
    return;
  }
  if (is_space(c) && name_.empty() && (list_ || marked_)) {
    raw_ += c;
    return;
  }
  if (c == ']' && list_ && any_ && name_.empty()) {  // a comma before it
    raw_.clear();
    gap_.clear();
    state_ = State::kAfter;
    return;
  }
  state_ = State::kName;
  if (c == '(' && !name_.empty() && (marked_ || tools_.knows(name_))) {
    raw_ += c;
    out_.begin_call(name_);
    out_.arguments("{");
    told_ = true;
    arguments_ = 0;
    argument_.clear();
    depth_ = 0;
    quote_ = 0;
    state_ = State::kArgument;
    return;
  }
  const bool fits = is_name_char(c) && (marked_ || tools_.any_begins_with(name_ + c));
  if (!fits || name_.size() > 200) return fall_back(c);
  raw_ += c;
  name_ += c;
}

// Follows strings and brackets, so that commas in them do not count.
void PythonParser::track(char c) {
  if (quote_ == 0) {
    if (c == '"' || c == '\'') {
      quote_ = c;
      run_ = 1;
      triple_ = escaped_ = false;
      closing_ = 0;
    } else if (c == '[' || c == '(' || c == '{') {
      ++depth_;
    } else if (c == ']' || c == ')' || c == '}') {
      --depth_;
    }
    return;
  }
  if (run_ > 0 && c == quote_) {
    triple_ = ++run_ == 3;
    if (triple_) run_ = 0;
    return;
  }
  if (run_ == 2) {  // an empty string, and c after it
    quote_ = 0;
    run_ = 0;
    return track(c);
  }
  run_ = 0;
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
    closing_ = 0;
  } else if (c != quote_) {
    closing_ = 0;
  } else if (!triple_ || ++closing_ == 3) {
    quote_ = 0;
  }
}

void PythonParser::put_argument(char c) {
  const bool in_string = quote_ != 0 && run_ != 2;
  if (!in_string && depth_ == 0 && (c == ',' || c == ')')) {
    if (c == ')' && trim(argument_).empty()) {
      raw_ += c;
      return call_done();
    }
    if (!argument_done()) {
      raw_ += c;
      out_.break_call(std::exchange(raw_, {}));
      told_ = false;
      state_ = State::kText;
      return;
    }
    raw_ += c;
    argument_.clear();
    quote_ = 0;
    run_ = 0;
    if (c == ')') call_done();
    return;
  }
  raw_ += c;
  argument_ += c;
  track(c);
  if (depth_ >= 0) return;
  out_.break_call(std::exchange(raw_, {}));
  told_ = false;
  state_ = State::kText;
}

bool PythonParser::argument_done() {
  const std::string_view text = trim(argument_);
  const size_t equals = text.find('=');
  std::string key(equals == std::string_view::npos ? "" : trim(text.substr(0, equals)));
  std::string_view value = text;
  if (is_identifier(key)) {
    value = text.substr(equals + 1);
  } else {
    key = tools_.parameter_at(name_, arguments_);
  }
  value = trim(value);
  std::string json;
  if (is_whole_json(value)) {  // as it is: numbers keep their digits
    json = value;
  } else if (const auto literal = python_literal(value)) {
    json = dump(*literal);
  }
  if (key.empty() || json.empty()) return false;
  out_.arguments((arguments_++ > 0 ? ", " : "") + dump(key) + ": " + json);
  return true;
}

void PythonParser::call_done() {
  out_.arguments("}");
  out_.end_call();
  raw_.clear();
  gap_.clear();
  name_.clear();
  told_ = false;
  any_ = true;
  state_ = list_ ? State::kNext : State::kAfter;
}

void PythonParser::put_next(char c) {
  if (is_space(c)) {
    gap_ += c;
  } else if (c == ',') {
    raw_ = c;
    gap_.clear();
    state_ = State::kName;
  } else {
    gap_.clear();
    state_ = State::kAfter;
    if (c != ']') put(c);
  }
}

void PythonParser::put_after(char c) {
  if (held_.empty() && is_space(c)) {
    gap_ += c;
    return;
  }
  held_ += c;
  if (is_one_of(held_, rules_.closes)) {
    held_.clear();
    gap_.clear();
  } else if (is_one_of(held_, rules_.opens)) {
    const std::string mark = std::exchange(held_, {});
    gap_.clear();
    state_ = State::kText;
    for (const char later : mark) put(later);
  } else if (!begins_one_of(held_, rules_.closes) && !begins_one_of(held_, rules_.opens)) {
    const std::string text = std::exchange(held_, {});
    out_.content(std::exchange(gap_, {}));
    state_ = State::kText;
    for (const char later : text) put(later);
  }
}

void PythonParser::end(bool truncated) {
  if (state_ == State::kArgument) {
    if (told_ && !truncated) out_.break_call(std::exchange(raw_, {}));
  } else if (state_ == State::kText || state_ == State::kAfter) {
    out_.content(std::exchange(gap_, {}) + std::exchange(held_, {}));
  } else if (state_ != State::kNext) {
    out_.content(std::exchange(raw_, {}));
  }
}

}  // namespace mlc::text
