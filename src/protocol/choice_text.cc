#include "protocol/choice_text.h"

#include <algorithm>

namespace mlc::protocol {
namespace {

std::vector<std::string> all_stops(const ServedModel& model, const GenerationParams& params) {
  std::vector<std::string> stops = params.stop;
  if (params.ignore_eos) return stops;
  stops.insert(stops.end(), model.stop_strings.begin(), model.stop_strings.end());
  if (!model.chat_template) return stops;
  const std::vector<std::string>& own = model.chat_template->stop_strings();
  stops.insert(stops.end(), own.begin(), own.end());
  return stops;
}

}  // namespace

size_t count_characters(std::string_view utf8) {
  return static_cast<size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

ChoiceText::ChoiceText(const ServedModel& model, const GenerationParams& params, bool continues_text,
                       size_t base_offset, std::vector<int32_t> marks)
    : stops_(all_stops(model, params)), min_tokens_(params.min_tokens), decoded_(base_offset), shown_(base_offset) {
  if (!model.tokenizer) return;
  text::StreamOptions options;
  options.continues_text = continues_text;
  options.keep_special = std::move(marks);
  detokenizer_.emplace(*model.tokenizer, options);
}

void ChoiceText::feed(const engine::Output& output) {
  if (finished()) return;  // what the engine made before it heard of the stop
  for (size_t i = 0; i < output.tokens.size() && !finished(); ++i) {
    feed_token(output.tokens[i], i < output.logprobs.size() ? &output.logprobs[i] : nullptr);
  }
  if (finished() || output.finish_reason == engine::FinishReason::kNone) return;
  end_text();
  if (finished()) return;  // the last characters completed a stop string
  finish_ = output.finish_reason;
  error_ = output.error;
  completion_tokens_ = std::max(completion_tokens_, output.completion_tokens);
}

void ChoiceText::feed_token(int32_t id, const engine::TokenLogprob* logprob) {
  ++completion_tokens_;
  ShownToken token{id, decoded_, std::nullopt};
  if (logprob) token.logprob = *logprob;
  waiting_.push_back(std::move(token));
  if (detokenizer_) show(detokenizer_->feed(id));
}

void ChoiceText::show(const std::string& text) {
  decoded_ += count_characters(text);
  text::StopResult r = may_stop() ? stops_.feed(text) : text::StopResult{text, false, {}};
  shown_ += count_characters(r.text);
  ready_ += r.text;
  if (!r.stopped) return;
  hit_stop_ = true;
  finish_ = engine::FinishReason::kStop;
  std::erase_if(waiting_, [this](const ShownToken& t) { return t.offset >= shown_; });
}

void ChoiceText::end_text() {
  if (!detokenizer_) return;
  show(detokenizer_->flush());
  if (!hit_stop_) ready_ += stops_.flush();
}

std::optional<Piece> ChoiceText::take() {
  if (ended_) return std::nullopt;
  const bool text_wanted = detokenizer_.has_value();
  if (!finished() && (text_wanted ? ready_.empty() : waiting_.empty())) return std::nullopt;
  Piece piece;
  piece.text.swap(ready_);
  auto end = waiting_.end();
  if (!finished() && text_wanted) {
    end = std::find_if(waiting_.begin(), waiting_.end(), [this](const ShownToken& t) { return t.offset >= shown_; });
  }
  piece.tokens.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  piece.finish = finish_;
  piece.error = error_;
  ended_ = finished();
  return piece;
}

}  // namespace mlc::protocol
