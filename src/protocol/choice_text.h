// One choice of a request: the engine's tokens become text pieces, stop strings are found, the tokens that belong to a
// piece travel with it.
//
//   ChoiceText choice(model, params, /*continues_text=*/false);
//   choice.feed(output);                       // an engine event
//   if (auto piece = choice.take()) send(*piece);
//   if (choice.hit_stop_string()) engine->cancel(id);
//
// What is shown, and which tokens count as shown, depends only on the tokens, never on how the events were cut.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "protocol/served_model.h"
#include "text/detokenizer.h"
#include "text/stop_strings.h"

namespace mlc::protocol {

struct ShownToken {
  int32_t id = 0;
  size_t offset = 0;  // where its text begins, in characters (code points) of the whole text
  std::optional<engine::TokenLogprob> logprob;
};

// What a piece adds to a call of a tool. The first for an index has id and name.
struct CallDelta {
  size_t index = 0;
  std::string id{}, name{};
  std::string arguments{};
  bool broken = false;  // the call turned out to be none; all that was written for it is in the text
};

struct Piece {
  std::string text;                // whole characters; never part of a stop string
  std::string reasoning{};         // chats: what the model thinks
  std::vector<CallDelta> calls{};  // chats
  bool called = false;             // this piece or an earlier one has a call
  std::vector<ShownToken> tokens;  // that begin in this text
  size_t num_prompt_tokens = 0;    // how many of them, at the front, are an echoed prompt's
  engine::FinishReason finish = engine::FinishReason::kNone;
  std::string error;  // for kError and kCancelled
};

class ChoiceText {
 public:
  // `marks`: special tokens that are part of the text, for a MessageParser. `continues_text`: the text continues one
  // that is shown already (keeps a leading space). `base_offset`: offsets count from it.
  ChoiceText(const ServedModel& model, const GenerationParams& params, bool continues_text, size_t base_offset = 0,
             std::vector<int32_t> marks = {});

  void feed(const engine::Output& output);
  // The next piece: nullopt when nothing can be shown yet. After the piece with a finish reason: nullopt for ever.
  std::optional<Piece> take();

  bool finished() const { return finish_ != engine::FinishReason::kNone; }
  bool hit_stop_string() const { return hit_stop_; }
  int64_t completion_tokens() const { return completion_tokens_; }

 private:
  void feed_token(int32_t id, const engine::TokenLogprob* logprob);
  void show(const std::string& text);
  bool may_stop() const { return completion_tokens_ > min_tokens_; }
  void end_text();

  std::optional<text::StreamDetokenizer> detokenizer_;  // none without a tokenizer
  text::StopStringMatcher stops_;
  int64_t min_tokens_ = 0;  // stop strings count in the text after so many tokens
  bool hit_stop_ = false;
  bool ended_ = false;  // the finishing piece was taken
  size_t decoded_ = 0;  // characters that the detokenizer let out, and base_offset
  size_t shown_ = 0;    // characters that may be shown, and base_offset
  std::string ready_;   // shown, but not taken
  std::vector<ShownToken> waiting_;
  engine::FinishReason finish_ = engine::FinishReason::kNone;
  std::string error_;
  int64_t completion_tokens_ = 0;
};

size_t count_characters(std::string_view utf8);

}  // namespace mlc::protocol
