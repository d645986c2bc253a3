// A model's tokenizer: text to token ids and back, and what each token stands for.
//
//   MLC_TRY(Tokenizer tokenizer, Tokenizer::from_directory("models/tinystories"));
//   MLC_TRY(std::vector<int32_t> ids, tokenizer.encode("Once upon a time"));    // with BOS where the model wants it
//   MLC_TRY(std::string text, tokenizer.decode(ids));                           // special tokens left out
//
// The folder text/ in one view:
//   tokenizer.h      this; Hugging Face's `tokenizers` crate behind it
//   detokenizer.h    ids to text while they arrive
//   stop_strings.h   stop strings in streamed text
//   chat_template.h  messages to a prompt: Jinja, or MLC's conversation templates (mlc_template.h)
//   grammar.h        structured output: which tokens a grammar lets come next
//   convert.h        tokenizer.json out of tokenizer.model, vocab.json + merges.txt, tokenizer.bin, GGUF
//
// A Tokenizer is immutable and cheap to copy; any number of threads may use one at the same time.
// Errors: kNotFound (no tokenizer files), kCorrupt (a file fails its format), kInvalidArgument (text is not UTF-8).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mlc::text {

class GrammarCache;

// How a sequence of tokens joins to text, for those who stream it. See StreamDetokenizer.
struct JoinRule {
  enum class Kind {
    kWhole,      // only a decode of all ids is right
    kByteLevel,  // the tokens' bytes joined
    kPieces,     // the tokens' bytes joined, then cut at the start
  };
  Kind kind = Kind::kWhole;
  int strip_left = 0;             // up to so many leading spaces of the whole text vanish
  bool first_drops_mark = false;  // every space in the first token vanishes
};

class Tokenizer {
 public:
  // Reads tokenizer.json, or assembles one (convert.h); and tokenizer_config.json where there is one.
  static Result<Tokenizer> from_directory(const std::string& dir);
  // `tokenizer_json`: the text of tokenizer.json. `config`: tokenizer_config.json, or null: added tokens, BOS, EOS.
  static Result<Tokenizer> from_json(std::string_view tokenizer_json, const Json& config = nullptr);

  // `add_special_tokens`: also what the tokenizer adds around a text (usually BOS). Special tokens written out in the
  // text are recognised either way. A prompt from a chat template holds them already: pass false.
  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special_tokens = true) const;
  // Ids that do not exist decode to nothing; bytes that are not UTF-8 become U+FFFD.
  Result<std::string> decode(std::span<const int32_t> ids, bool skip_special_tokens = true) const;

  // One more than the largest id. The model's embedding table may be larger.
  int32_t vocab_size() const;
  // The bytes a token stands for in running text: "Ġthe" and "▁the" are " the", "<0x0A>" is "\n"; it may be part of a
  // character. Special tokens give their own name. Empty for ids that do not exist.
  std::string_view token_bytes(int32_t id) const;
  bool exists(int32_t id) const;
  bool is_special(int32_t id) const;        // left out by decode
  bool is_added(int32_t id) const;          // matched as a whole in the text
  bool is_byte_fallback(int32_t id) const;  // stands for one byte, such as <0x0A>
  // By the stored form: "Ġthe", "<|im_end|>".
  std::optional<int32_t> token_to_id(std::string_view token) const;
  std::optional<std::string> id_to_token(int32_t id) const;
  JoinRule join_rule() const;

  // From tokenizer_config.json (or the assembled file); unset where the model names none.
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  std::optional<int32_t> pad_id() const;
  // tokenizer_config.json, or null.
  const Json& config() const;

  // For Grammar::compile (grammar.h).
  GrammarCache& grammars() const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// The text of tokenizer_config.json's `name` ("bos_token", ...): a string, or an object with "content".
std::optional<std::string> special_token_text(const Json& config, const std::string& name);

}  // namespace mlc::text
