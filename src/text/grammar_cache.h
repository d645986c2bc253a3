// What the grammars of one tokenizer share: the environment of the Rust crate, built when first asked for, and the
// grammars compiled of late. Owned by the Tokenizer.
#pragma once

#include <list>
#include <mutex>
#include <string>

#include "text/grammar.h"
#include "text/rust_glue.h"

namespace mlc::text {

class GrammarCache {
 public:
  explicit GrammarCache(const MlcRsTokenizer* tokenizer) : tokenizer_(tokenizer) {}
  GrammarCache(const GrammarCache&) = delete;
  GrammarCache& operator=(const GrammarCache&) = delete;
  ~GrammarCache() { mlc_rs_grammar_env_free(env_); }

  // `kind`: MLC_RS_GRAMMAR_*.
  Result<Grammar> get(uint32_t kind, const std::string& source, bool lenient);

 private:
  struct Entry {
    uint32_t kind;
    bool lenient;
    std::string source;
    Grammar grammar;
  };
  Result<void> build_env();
  const Grammar* find(uint32_t kind, const std::string& source, bool lenient);

  const MlcRsTokenizer* tokenizer_;
  std::once_flag once_;
  MlcRsGrammarEnv* env_ = nullptr;
  std::string failure_;  // why env_ could not be built

  std::mutex mutex_;
  std::list<Entry> entries_;  // used most recently first
};

}  // namespace mlc::text
