#include "text/output/event.h"

namespace mlc::text {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool joins(OutputEvent::Kind kind) {
  return kind == OutputEvent::Kind::kContent || kind == OutputEvent::Kind::kReasoning ||
         kind == OutputEvent::Kind::kArguments;
}

}  // namespace

void EventList::add(OutputEvent::Kind kind, std::string_view text) {
  if (text.empty()) return;
  if (!events_.empty() && events_.back().kind == kind) {
    events_.back().text += text;
  } else {
    events_.push_back({kind, std::string(text)});
  }
}

void EventList::content(std::string_view text) {
  if (skip_space_) {
    const size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return;
    skip_space_ = false;
    text.remove_prefix(first);
  }
  if (!hold_space_) return add(OutputEvent::Kind::kContent, text);
  const size_t last = text.find_last_not_of(kSpace);
  if (last == std::string_view::npos) {
    space_ += text;
    return;
  }
  add(OutputEvent::Kind::kContent, std::exchange(space_, {}));
  add(OutputEvent::Kind::kContent, text.substr(0, last + 1));
  space_ = text.substr(last + 1);
}

void EventList::begin_call(std::string_view name, std::string_view id) {
  space_.clear();
  skip_space_ = false;
  called_ = true;
  events_.push_back({OutputEvent::Kind::kCall, std::string(name), std::string(id)});
}

void EventList::finish() {
  if (!called_) add(OutputEvent::Kind::kContent, space_);
  space_.clear();
}

std::vector<OutputEvent> join_events(std::vector<OutputEvent> events) {
  std::vector<OutputEvent> out;
  for (OutputEvent& event : events) {
    if (!out.empty() && joins(event.kind) && out.back().kind == event.kind) {
      out.back().text += event.text;
    } else {
      out.push_back(std::move(event));
    }
  }
  return out;
}

}  // namespace mlc::text
