#include "protocol/answer.h"

#include <utility>

namespace mlc::protocol {

std::string sse_event(const std::string& data) { return "data: " + data + "\n\n"; }
std::string sse_event(const std::string& name, const OrderedJson& data) {
  return "event: " + name + "\n" + sse_event(dump(data));
}

void GenerationAnswer::note_finish(const OrderedJson& chunk) {
  const auto choices = chunk.find("choices");
  if (choices == chunk.end()) return;
  for (const OrderedJson& choice : *choices) {
    const auto reason = choice.find("finish_reason");
    if (reason != choice.end() && reason->is_string()) finish_reasons_.push_back(reason->get<std::string>());
  }
}

std::string GenerationAnswer::take_events() {
  std::string out;
  for (const OrderedJson& chunk : generation_->take_chunks()) {
    note_finish(chunk);
    if (!chunk.contains("error")) out += translate(chunk);
  }
  if (generation_->finished() && !std::exchange(closed_, true)) out += failed() ? failure(*failed()) : closing();
  return out;
}

std::string GenerationAnswer::body() {
  OrderedJson whole = generation_->body_json();
  note_finish(whole);
  return dump(translate_whole(std::move(whole)));
}

AnswerFacts GenerationAnswer::facts() const {
  const Usage& usage = generation_->usage();
  return {generation_->model(), usage.prompt_tokens, usage.completion_tokens, generation_->times(), finish_reasons_};
}

std::string GenerationAnswer::translate(const OrderedJson& chunk) { return sse_event(dump(chunk)); }
std::string GenerationAnswer::closing() { return sse_event("[DONE]"); }
std::string GenerationAnswer::failure(const ApiError& e) { return sse_event(dump(error_json(e))); }

}  // namespace mlc::protocol
