// Structured output: a grammar compiled for a tokenizer, and the state of a text that follows it.
//
//   GrammarSpec spec{GrammarSpec::Kind::kJsonSchema, R"({"type": "object", "properties": {"a": {"type":
//   "integer"}}})"}; MLC_TRY(Grammar grammar, Grammar::compile(tokenizer, spec));    // or a message that names what
//   cannot be honoured MLC_TRY(GrammarState state, grammar.start()); std::vector<uint32_t> bits((vocab + 31) / 32);
//   MLC_TRY_VOID(state.mask(bits));    // bit i % 32 of word i / 32: token i may come next; 0 for special tokens, EOS
//   too MLC_TRY_VOID(state.accept(token)); if (state.must_stop()) …           // complete, nothing can follow
//
// The `llguidance` crate does the work (rust/src/grammar.rs). What all grammars of a tokenizer share, mostly the trie
// of its tokens, is built when the first one is compiled (128 K tokens: about 0.3 s and 20 MB); compiled grammars are
// kept for the next request with the same text. The properties of an object come in the order of the schema, required
// and optional ones alike; properties that the schema does not name come after them.
//
// A Grammar is immutable and cheap to copy; any number of threads may use one at the same time. A GrammarState belongs
// to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace mlc::text {

struct GrammarSpec {
  enum class Kind {
    kJsonObject,  // any JSON object; no text
    kJsonSchema,  // text: the schema, as JSON
    kRegex,       // text: an expression in Rust's syntax that matches the whole answer; ^ and $ around it are optional
    kLark,    // text: llguidance's dialect of Lark, https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
    kEbnf,    // text: rules `name ::= …` as llama.cpp (GBNF), XGrammar and vLLM write them; see ebnf.h
    kChoice,  // text: a JSON list of strings, one of which is the answer
  };
  Kind kind = Kind::kJsonObject;
  std::string text{};
  bool lenient = false;  // kJsonSchema: keywords that cannot be enforced are left out instead of refused
};

inline constexpr size_t kMaxGrammarBytes = 256 << 10;  // regex, Lark, EBNF, choice
inline constexpr size_t kMaxSchemaBytes = 4 << 20;

class GrammarState;

class Grammar {
 public:
  // Errors: kInvalidArgument: the text is wrong, or asks for what cannot be honoured; the message says where and names
  // the keyword.
  static Result<Grammar> compile(const Tokenizer& tokenizer, const GrammarSpec& spec);
  // The state of an empty text. An error only after a failure inside the library.
  Result<GrammarState> start() const;
  // kJsonSchema with `lenient`: what was left out, one per line.
  const std::string& warnings() const;

 private:
  friend class GrammarCache;
  struct Impl;
  explicit Grammar(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

class GrammarState {
 public:
  GrammarState(const GrammarState& other);
  GrammarState(GrammarState&&) noexcept;
  GrammarState& operator=(GrammarState&&) noexcept;
  ~GrammarState();

  // `bits` may be longer or shorter than the tokenizer's vocabulary; tokens outside it are not allowed. When
  // must_stop(), all are 0.
  Result<void> mask(std::span<uint32_t> bits);
  // An error, now and from then on, if the token is not allowed.
  Result<void> accept(int32_t token);
  // Tokens that must come next, spelled as the tokenizer spells them; those at the end that might merge with what
  // follows are left out.
  std::vector<int32_t> forced();
  bool may_stop() const { return may_stop_; }
  bool must_stop() const { return must_stop_; }

 private:
  friend class Grammar;
  struct Handle;
  explicit GrammarState(std::unique_ptr<Handle> handle);
  Result<void> read_state();

  std::unique_ptr<Handle> handle_;
  bool may_stop_ = false, must_stop_ = false;
};

}  // namespace mlc::text
