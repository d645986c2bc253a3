// Token ids to text while they arrive, in whole characters.
//
//   StreamDetokenizer stream(tokenizer);
//   for (int32_t id : generated) send(stream.feed(id));    // may be empty: half a character waits
//   send(stream.flush());                                  // what never became a character is U+FFFD
//
// The pieces joined are tokenizer.decode(all ids), with one exception: where a tokenizer with byte tokens (<0xE4>) is
// fed bytes that are not UTF-8, complete characters before the break are kept, not replaced with it.
// One object serves one sequence and is not for several threads; the tokenizer behind it is shared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace mlc::text {

struct StreamOptions {
  bool skip_special_tokens = true;
  std::vector<int32_t> keep_special{};  // but not these: marks that someone after this looks for
  // The ids continue a text that is shown already: a SentencePiece tokenizer's leading space is then kept, not cut.
  bool continues_text = false;
};

class StreamDetokenizer {
 public:
  explicit StreamDetokenizer(Tokenizer tokenizer, StreamOptions options = {});
  // The text that this token completes.
  std::string feed(int32_t id);
  // What is left at the end. The object starts afresh after it.
  std::string flush();

 private:
  std::string take_complete(bool at_end);
  std::string cut_start(std::string text);
  std::string feed_whole(int32_t id, bool at_end);
  std::string feed_mark(int32_t id);

  Tokenizer tokenizer_;
  StreamOptions options_;
  JoinRule rule_;
  std::string pending_;       // bytes that are not a whole character yet
  int strip_left_ = 0;        // leading spaces still to be removed
  bool first_ = true;         // no token that shows has arrived yet
  std::vector<int32_t> ids_;  // kWhole only
  size_t shown_ = 0;          // kWhole only: bytes of decode(ids_) handed out
};

}  // namespace mlc::text
