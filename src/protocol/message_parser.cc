#include "protocol/message_parser.h"

#include <algorithm>
#include <random>

namespace mlc::protocol {
namespace {

std::string random_id(int length) {
  static constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  static thread_local std::mt19937_64 source{(uint64_t{std::random_device{}()} << 32) | std::random_device{}()};
  std::string id = length > 0 ? "" : "call_";
  const size_t size = length > 0 ? static_cast<size_t>(length) : id.size() + 24;
  while (id.size() < size) id += kLetters[source() % kLetters.size()];
  return id;
}

text::OutputParserOptions parser_options(const ServedModel& model, const ChatRequest& request, std::string_view prompt,
                                         const text::ToolFormat& calls) {
  text::OutputParserOptions o;
  o.format = model.answers.format;
  o.format.tools = &calls;
  if (request.tools.offered()) o.tools = request.tools.tools;
  o.reasoning_open = o.format.reasoning && text::reasoning_is_open(*o.format.reasoning, prompt);
  return o;
}

}  // namespace

const text::ToolFormat& tool_format(const ServedModel& model) {
  static const text::ToolFormat* const plain = text::find_tool_format("json");
  return model.answers.format.tools ? *model.answers.format.tools : *plain;
}

MessageParser::MessageParser(const ServedModel& model, const ChatRequest& request, std::string_view prompt,
                             const text::ToolFormat& calls)
    : parser_(parser_options(model, request, prompt, calls)),
      parallel_(request.tools.parallel),
      include_reasoning_(request.include_reasoning),
      only_calls_(request.tools.must_call()),
      id_length_(calls.id_length) {}

bool MessageParser::needed(const ServedModel& model, const ChatRequest& request) {
  return request.tools.offered() || text::needs_parsing(model.answers.format, false);
}

void MessageParser::apply(Piece* piece) {
  for (const ShownToken& token : piece->tokens) offsets_.push_back(token.offset);
  const std::string text = std::exchange(piece->text, {});
  if (!enough_) take(parser_.feed(text), piece);
  if (piece->finish != engine::FinishReason::kNone && !enough_) {
    take(parser_.finish(piece->finish == engine::FinishReason::kLength), piece);
  }
  piece->called = ids_.size() > num_broken_;
}

void MessageParser::take(const std::vector<text::OutputEvent>& events, Piece* piece) {
  using Kind = text::OutputEvent::Kind;
  for (const text::OutputEvent& event : events) {
    switch (event.kind) {
      case Kind::kContent:
        if (!only_calls_) piece->text += event.text;
        break;
      case Kind::kReasoning:
        if (include_reasoning_) piece->reasoning += event.text;
        break;
      case Kind::kCall:
        begin_call(event, piece);
        break;
      case Kind::kArguments: {
        const size_t index = ids_.size() - 1;
        if (piece->calls.empty() || piece->calls.back().index != index) piece->calls.push_back({.index = index});
        piece->calls.back().arguments += event.text;
        break;
      }
      case Kind::kCallEnd:
        enough_ = enough_ || !parallel_;
        break;
      case Kind::kCallBroken:
        piece->text += event.text;
        piece->calls.push_back({.index = ids_.size() - 1, .broken = true});
        ++num_broken_;
        break;
    }
    if (enough_) return;
  }
}

void MessageParser::begin_call(const text::OutputEvent& event, Piece* piece) {
  // Ids that are too short to tell calls of different turns apart, or that came before, are replaced.
  const bool own = event.id.size() >= 9 && std::find(ids_.begin(), ids_.end(), event.id) == ids_.end();
  ids_.push_back(own ? event.id : random_id(id_length_));
  CallDelta call;
  call.index = ids_.size() - 1;
  call.id = ids_.back();
  call.name = event.text;
  piece->calls.push_back(std::move(call));
}

int64_t MessageParser::reasoning_tokens() const {
  return std::count_if(offsets_.begin(), offsets_.end(),
                       [this](size_t offset) { return parser_.is_reasoning(offset); });
}

}  // namespace mlc::protocol
