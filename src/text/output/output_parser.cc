#include "text/output/output_parser.h"

#include <algorithm>

#include "text/output/marks.h"

namespace mlc::text {
namespace {

const ToolFormat* harmony() { return find_tool_format("gpt_oss"); }

bool is_harmony(const OutputFormat& format) {
  return (format.reasoning && format.reasoning->harmony) ||
         (format.tools && format.tools->family == ToolFamily::kHarmony);
}

// Functionary 3.2 writes whom it speaks to even when there are no tools.
bool always_marks(const OutputFormat& format) {
  return is_harmony(format) || (format.tools && !format.tools->markup.prompt_tail.empty());
}

std::string_view trim_end(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

bool reasoning_is_open(const ReasoningFormat& format, std::string_view prompt) {
  if (format.harmony) return false;
  const std::string_view end = trim_end(prompt);
  return format.starts_open ? !end.ends_with(format.end) : end.ends_with(format.begin);
}

bool needs_parsing(const OutputFormat& format, bool has_tools) {
  return format.reasoning != nullptr || always_marks(format) || (format.tools && has_tools);
}

OutputParser::OutputParser(const OutputParserOptions& options)
    : tools_(options.tools), events_(/*hold_space=*/!options.tools.empty()) {
  const OutputFormat& format = options.format;
  const ToolFormat* tools = is_harmony(format) ? harmony() : format.tools;
  if (tools && (!options.tools.empty() || always_marks(format))) parser_ = make_tool_parser(*tools, tools_, &events_);
  if (!format.reasoning || is_harmony(format)) return;
  reasoning_ = *format.reasoning;
  state_ = options.reasoning_open ? State::kReasoning : State::kStart;
  if (!options.reasoning_open) return;
  spans_.emplace_back(0, 0);
  in_span_ = true;
}

std::vector<OutputEvent> OutputParser::feed(std::string_view text) {
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++characters_;
    put(c);
    track_reasoning();
  }
  return events_.take();
}

void OutputParser::put(char c) {
  switch (state_) {
    case State::kStart:
      return put_start(c);
    case State::kReasoning:
      return put_reasoning(c);
    case State::kAfterReasoning:
      if (is_space(c)) return;
      state_ = State::kRest;
      [[fallthrough]];
    case State::kRest:
      return put_rest(c);
  }
}

// Reasoning begins an answer, or there is none.
void OutputParser::put_start(char c) {
  held_ += c;
  const std::string_view begun =
      std::string_view(held_).substr(std::min(held_.size(), held_.find_first_not_of(kSpaces)));
  if (begun == reasoning_.begin) {
    held_.clear();
    state_ = State::kReasoning;
  } else if (!reasoning_.begin.starts_with(begun)) {
    state_ = State::kRest;
    for (const char later : std::exchange(held_, {})) put_rest(later);
  }
}

void OutputParser::put_reasoning(char c) {
  held_ += c;
  // A model may open what the prompt, or the format, has opened already.
  const bool may_open = !any_reasoning_;
  if (may_open && held_ == reasoning_.begin) return held_.clear();
  if (held_ == reasoning_.end) {
    held_.clear();
    space_.clear();
    state_ = State::kAfterReasoning;
    return;
  }
  while (!reasoning_.end.starts_with(held_) && !(may_open && reasoning_.begin.starts_with(held_))) {
    const char first = held_[0];
    held_.erase(0, 1);
    if (is_space(first)) {
      if (any_reasoning_) space_ += first;
    } else {
      any_reasoning_ = true;
      events_.reasoning(std::exchange(space_, {}));
      events_.reasoning({&first, 1});
    }
  }
}

void OutputParser::put_rest(char c) {
  if (parser_) return parser_->put(c);
  events_.content({&c, 1});
}

void OutputParser::track_reasoning() {
  const bool now = state_ == State::kReasoning || (state_ == State::kRest && parser_ && parser_->reasons());
  if (now && !in_span_) spans_.emplace_back(state_ == State::kReasoning ? 0 : characters_, characters_);
  if (in_span_ || now) spans_.back().second = characters_;
  in_span_ = now;
}

bool OutputParser::is_reasoning(size_t offset) const {
  return std::any_of(spans_.begin(), spans_.end(),
                     [offset](const auto& span) { return offset >= span.first && offset < span.second; });
}

std::vector<OutputEvent> OutputParser::finish(bool truncated) {
  if (state_ == State::kReasoning) {
    events_.reasoning(held_.empty() ? "" : std::exchange(space_, {}) + std::exchange(held_, {}));
  } else {
    for (const char later : std::exchange(held_, {})) put_rest(later);
  }
  if (parser_) parser_->end(truncated);
  events_.finish();
  return events_.take();
}

}  // namespace mlc::text
