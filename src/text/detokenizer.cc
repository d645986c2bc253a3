#include "text/detokenizer.h"

#include <algorithm>

#include "text/utf8.h"

namespace mlc::text {

StreamDetokenizer::StreamDetokenizer(Tokenizer tokenizer, StreamOptions options)
    : tokenizer_(std::move(tokenizer)), options_(options), rule_(tokenizer_.join_rule()) {
  strip_left_ = options_.continues_text ? 0 : rule_.strip_left;
}

std::string StreamDetokenizer::feed(int32_t id) {
  if (!tokenizer_.exists(id)) return {};
  if (options_.skip_special_tokens && tokenizer_.is_special(id)) {
    const auto& kept = options_.keep_special;
    return std::find(kept.begin(), kept.end(), id) == kept.end() ? std::string() : feed_mark(id);
  }
  if (rule_.kind == JoinRule::Kind::kWhole) return feed_whole(id, false);
  std::string bytes(tokenizer_.token_bytes(id));
  if (first_ && rule_.first_drops_mark && !options_.continues_text) std::erase(bytes, ' ');
  first_ = false;
  pending_ += bytes;
  return cut_start(take_complete(false));
}

// A special token that is kept: the text before it ends here, as far as decoders are concerned.
std::string StreamDetokenizer::feed_mark(int32_t id) {
  const bool continues = options_.continues_text;
  options_.continues_text = continues || !first_ || !ids_.empty();
  std::string text = flush();
  options_.continues_text = true;
  strip_left_ = 0;
  first_ = false;
  return text + std::string(tokenizer_.token_bytes(id));
}

std::string StreamDetokenizer::flush() {
  std::string text = rule_.kind == JoinRule::Kind::kWhole ? feed_whole(-1, true) : cut_start(take_complete(true));
  pending_.clear();
  ids_.clear();
  shown_ = 0;
  first_ = true;
  strip_left_ = options_.continues_text ? 0 : rule_.strip_left;
  return text;
}

// Moves whole characters out of pending_; broken bytes become U+FFFD as soon as it is sure that they are broken.
std::string StreamDetokenizer::take_complete(bool at_end) {
  std::string out;
  size_t at = 0;
  std::string_view bytes = pending_;
  while (at < bytes.size()) {
    Utf8Step step = next_utf8(bytes.substr(at));
    if (step.kind == Utf8Kind::kIncomplete && !at_end) break;
    if (step.kind == Utf8Kind::kCharacter) {
      out += bytes.substr(at, step.size);
    } else {
      // Byte tokens: one mark for each byte; byte-level: one for the sequence. As the tokenizers' own decoders do.
      size_t marks = rule_.kind == JoinRule::Kind::kPieces ? step.size : 1;
      for (size_t i = 0; i < marks; ++i) out += kReplacement;
    }
    at += step.size;
  }
  pending_.erase(0, at);
  return out;
}

std::string StreamDetokenizer::cut_start(std::string text) {
  size_t cut = 0;
  while (strip_left_ > 0 && cut < text.size()) {
    if (text[cut] != ' ') {
      strip_left_ = 0;
      break;
    }
    ++cut;
    --strip_left_;
  }
  return text.substr(cut);
}

// For decoders that are no simple join: decode all and hand out what is new. Text that ends in U+FFFD may still change.
std::string StreamDetokenizer::feed_whole(int32_t id, bool at_end) {
  if (!at_end) ids_.push_back(id);
  auto decoded = tokenizer_.decode(ids_, options_.skip_special_tokens);
  if (!decoded || decoded->size() <= shown_) return {};
  if (!at_end && decoded->ends_with(kReplacement)) return {};
  std::string fresh = decoded->substr(shown_);
  shown_ = decoded->size();
  return fresh;
}

}  // namespace mlc::text
