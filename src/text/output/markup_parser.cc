#include "text/output/markup_parser.h"

#include <algorithm>
#include <cctype>

#include "text/output/marks.h"

namespace mlc::text {
namespace {

constexpr size_t kMaxWord = 300;
constexpr std::string_view kFence = "```json";
constexpr std::string_view kEveryone = "all";  // Functionary's name for the reader

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_.:/-").find(c) != std::string_view::npos;
}

}  // namespace

MarkupParser::MarkupParser(const MarkupRules& rules, const ToolNames& tools, EventList* out)
    : ToolParser(out), rules_(rules), tools_(tools) {
  if (rules_.prompt_tail.empty()) return;
  raw_ = rules_.prompt_tail;
  tail_ = true;
  state_ = State::kOpened;
}

void MarkupParser::put(char c) {
  switch (state_) {
    case State::kText:
      return put_text(c);
    case State::kSection:
      return put_section(c);
    case State::kOpened:
      return put_opened(c);
    case State::kWord:
      return put_word(c);
    case State::kAfterName:
      return put_after_name(c);
    case State::kArguments:
      return put_arguments(c);
    case State::kObject:
      return put_object(c);
    case State::kListItem:
    case State::kListNext:
      return put_list(c);
    case State::kAfterCall:
      return put_after_call(c);
  }
}

void MarkupParser::put_text(char c) {
  held_ += c;
  const bool opens = is_one_of(held_, rules_.opens);
  if (opens || is_one_of(held_, rules_.sections)) {
    raw_ = std::exchange(held_, {});
    fresh_ = bare_ = list_ = false;
    state_ = opens ? State::kOpened : State::kSection;
    return;
  }
  if (begins_one_of(held_, rules_.opens) || begins_one_of(held_, rules_.sections)) return;
  const std::string text = std::exchange(held_, {});
  put_content(text[0]);
  for (const char later : std::string_view(text).substr(1)) put(later);
}

void MarkupParser::put_content(char c) {
  if (fresh_ && rules_.bare && (c == '{' || c == '[')) {
    raw_ = c;
    bare_ = true;
    fresh_ = false;
    list_ = c == '[';
    any_in_list_ = false;
    state_ = State::kListItem;
    if (!list_) open_object();
    return;
  }
  fresh_ = fresh_ && is_space(c);
  out_.content({&c, 1});
}

// The raw_ text was no call after all.
void MarkupParser::fall_back() {
  std::string_view text = raw_;
  if (tail_) text.remove_prefix(std::min(text.size(), rules_.prompt_tail.size()));
  tail_ = false;
  out_.content(text);
  raw_.clear();
  fresh_ = false;
  state_ = State::kText;
}

void MarkupParser::fall_back_and_put(char c) {
  fall_back();
  put(c);
}

void MarkupParser::put_section(char c) {
  if (held_.empty() && is_space(c)) {
    raw_ += c;
    return;
  }
  held_ += c;
  if (is_one_of(held_, rules_.opens)) {
    raw_ += std::exchange(held_, {});
    state_ = State::kOpened;
  } else if (!begins_one_of(held_, rules_.opens)) {
    const std::string text = std::exchange(held_, {});
    fall_back();
    for (const char later : text) put(later);
  }
}

void MarkupParser::put_opened(char c) {
  list_ = any_in_list_ = in_id_ = false;
  name_.clear();
  id_.clear();
  word_.clear();
  if (is_space(c)) {
    raw_ += c;
  } else if (c == '{') {
    raw_ += c;
    open_object();
  } else if (c == '[' && rules_.name_prefix.empty()) {
    raw_ += c;
    list_ = true;
    state_ = State::kListItem;
  } else if (!rules_.after_name.empty()) {
    state_ = State::kWord;
    put_word(c);
  } else {
    fall_back_and_put(c);
  }
}

// ---- a name, then arguments ----

void MarkupParser::put_word(char c) {
  const std::string longer = word_ + c;
  if (c == '{' && !word_.empty() && !in_id_) {
    raw_ += c;
    name_ = word_;
    return start_arguments();
  }
  for (const std::string_view mark : rules_.after_name) {
    if (!longer.ends_with(mark)) continue;
    raw_ += c;
    word_ = longer.substr(0, longer.size() - mark.size());
    return word_done(mark);
  }
  if (longer.size() > kMaxWord || (!is_word_char(c) && held_back(longer, rules_.after_name) == 0)) {
    return fall_back_and_put(c);
  }
  raw_ += c;
  word_ = longer;
}

void MarkupParser::word_done(std::string_view mark) {
  while (!word_.empty() && is_space(word_.back())) word_.pop_back();
  if (word_.empty()) return fall_back();
  if (in_id_) {
    id_ = word_;
  } else {
    name_ = word_;
  }
  word_.clear();
  fence_.clear();
  name_mark_ = mark;
  in_id_ = !rules_.after_id.empty() && mark == rules_.after_id;
  state_ = in_id_ ? State::kWord : State::kAfterName;
  if (name_ != kEveryone || rules_.prompt_tail.empty()) return;
  raw_.clear();
  tail_ = false;
  state_ = State::kText;
}

void MarkupParser::put_after_name(char c) {
  // DeepSeek before V3.1: "function<sep>NAME\n```json\n{...}", so what came before was not the name yet.
  const bool name_follows = rules_.after_name.back() == "\n" && name_mark_ != "\n" && is_word_char(c);
  const bool fences = rules_.after_name.back() == "\n" && kFence.starts_with(fence_ + c);
  if (name_follows && fence_.empty()) {
    state_ = State::kWord;
    return put_word(c);
  }
  if (c == '{') {
    raw_ += c;
    return start_arguments();
  }
  if (!is_space(c) && !fences) return fall_back_and_put(c);
  raw_ += c;
  if (!is_space(c)) fence_ += c;
}

bool MarkupParser::acceptable(std::string_view name) const {
  return !name.empty() && (tools_.knows(name) || !(bare_ || rules_.known_only));
}

// At the opening brace, which is in raw_ already.
void MarkupParser::start_arguments() {
  std::string_view name = name_;
  if (rules_.numbered) id_ = name_;
  if (!rules_.name_prefix.empty() && name.starts_with(rules_.name_prefix)) {
    name.remove_prefix(rules_.name_prefix.size());
  }
  if (rules_.numbered) name = name.substr(0, name.rfind(':'));
  if (!acceptable(name)) return fall_back();
  out_.begin_call(name, id_);
  scanner_ = JsonScanner();
  std::string text;
  scanner_.put('{', &text);
  out_.arguments(text);
  state_ = State::kArguments;
}

void MarkupParser::put_arguments(char c) {
  std::string text;
  if (!scanner_.put(c, &text)) {
    out_.break_call(std::exchange(raw_, {}));
    state_ = State::kText;
    return put(c);
  }
  raw_ += c;
  out_.arguments(text);
  if (scanner_.status() == JsonScanner::Status::kDone) call_done();
}

void MarkupParser::call_done() {
  out_.end_call();
  raw_.clear();
  gap_.clear();
  tail_ = false;
  state_ = State::kAfterCall;
}

// ---- objects ----

void MarkupParser::open_object() {
  object_ = CallObject(bare_);
  object_.put('{');
  told_ = ended_ = false;
  state_ = State::kObject;
}

void MarkupParser::put_object(char c) {
  if (!object_.put(c)) return object_broken(c);
  raw_ += c;
  if (!follow_object()) return fall_back();
  if (object_.status() == CallObject::Status::kDone) object_done();
}

// Tells what is sure by now; false when the object is no call.
bool MarkupParser::follow_object() {
  if (!told_ && object_.named() && !acceptable(object_.name())) return false;
  const bool begins = !told_ && object_.named() && object_.has_arguments();
  if (begins) out_.begin_call(object_.name(), object_.id());
  told_ = told_ || begins;
  if (!told_ || ended_) return true;
  out_.arguments(object_.take_arguments());
  if (!object_.arguments_done()) return true;
  out_.end_call();
  ended_ = true;
  raw_.clear();
  return true;
}

void MarkupParser::object_done() {
  if (!told_ && !object_.named()) return fall_back();
  if (!told_) {
    out_.begin_call(object_.name(), object_.id());
    out_.arguments("{}");
    out_.end_call();
  }
  raw_.clear();
  gap_.clear();
  tail_ = false;
  any_in_list_ = true;
  state_ = list_ ? State::kListNext : State::kAfterCall;
}

void MarkupParser::object_broken(char c) {
  if (!told_) return fall_back_and_put(c);
  if (!ended_) {
    out_.break_call(std::exchange(raw_, {}));
    state_ = State::kText;
    return put(c);
  }
  // The call is whole, what is left of the object is not: models forget brackets.
  gap_ = std::exchange(raw_, {});
  state_ = State::kAfterCall;
  if (gap_.find_first_not_of(kSpaces) != std::string::npos) {
    out_.content(std::exchange(gap_, {}));
    state_ = State::kText;
  }
  put(c);
}

void MarkupParser::put_list(char c) {
  if (is_space(c)) {
    raw_ += c;
  } else if (state_ == State::kListItem && c == '{') {
    raw_ += c;
    open_object();
  } else if (state_ == State::kListItem && !any_in_list_) {
    fall_back_and_put(c);
  } else if (c == ',' && state_ == State::kListNext) {
    raw_ = c;
    state_ = State::kListItem;
  } else {
    raw_.clear();
    gap_.clear();
    state_ = State::kAfterCall;
    if (c != ']') put(c);
  }
}

// ---- between calls ----

void MarkupParser::put_after_call(char c) {
  if (held_.empty() && (is_space(c) || (bare_ && !rules_.separator.empty() && c == rules_.separator[0]))) {
    gap_ += c;
    return;
  }
  if (held_.empty() && bare_ && !list_ && c == '{') {
    raw_ = std::exchange(gap_, {}) + c;
    return open_object();
  }
  held_ += c;
  if (is_one_of(held_, rules_.opens)) {
    raw_ = std::exchange(held_, {});
    gap_.clear();
    bare_ = false;
    state_ = State::kOpened;
  } else if (is_one_of(held_, rules_.closes)) {
    held_.clear();
    gap_.clear();
  } else if (!begins_one_of(held_, rules_.opens) && !begins_one_of(held_, rules_.closes)) {
    const std::string text = std::exchange(held_, {});
    out_.content(std::exchange(gap_, {}));
    state_ = State::kText;
    for (const char later : text) put(later);
  }
}

void MarkupParser::end(bool truncated) {
  switch (state_) {
    case State::kText:
      out_.content(std::exchange(held_, {}));
      break;
    case State::kAfterCall:
      if (held_.empty() &&
          gap_.find_first_not_of(std::string(kSpaces) + std::string(rules_.separator)) == std::string::npos) {
        break;  // what separates calls is no content
      }
      out_.content(std::exchange(gap_, {}) + std::exchange(held_, {}));
      break;
    case State::kArguments:
      if (!truncated) out_.break_call(std::exchange(raw_, {}));
      break;
    case State::kObject:
      if (told_ && !ended_ && !truncated) out_.break_call(std::exchange(raw_, {}));
      if (!told_ || ended_) fall_back();
      break;
    default:
      raw_ += std::exchange(held_, {});
      fall_back();
  }
}

}  // namespace mlc::text
