// Pieces of a Lark grammar for a tokenizer: fixed text, text up to a mark, JSON of a schema.
//
//   LarkWriter lark(tokenizer);
//   std::string call = lark.rule(lark.literal("<tool_call>\n") + " " + lark.json(schema) + " " + lark.literal("\n"));
//   std::string grammar = lark.finish(call);                 // start: r1 …
//
// A mark such as <|python_tag|> is one special token in some vocabularies and ordinary text in others: literal() finds
// out which. In a grammar special tokens stand by their ids, because text never matches them.
//
// Syntax: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace mlc::text {

inline constexpr std::string_view kAnyText = "/(?s:.*)/";  // a terminal's expression

class LarkWriter {
 public:
  explicit LarkWriter(const Tokenizer& tokenizer);

  // An expression for exactly this text.
  std::string literal(std::string_view text) const;
  bool has_special(std::string_view token) const;
  // Text that `pattern` matches (an expression of a terminal) and that holds none of `never`, and `after` behind it.
  std::string text_before(std::string_view after, const std::vector<std::string_view>& never,
                          std::string_view pattern = kAnyText);
  // JSON of the schema on one line, with at most one space after a comma or colon.
  std::string json(const OrderedJson& schema);
  // A name for the expression.
  std::string rule(const std::string& expression) { return define("r", expression); }
  std::string terminal(const std::string& expression) { return define("T", expression); }

  std::string finish(const std::string& start) const { return "start: " + start + "\n" + rules_; }

 private:
  struct Piece {
    std::string_view text;
    int32_t token;  // -1: ordinary text
  };
  std::vector<Piece> split(std::string_view text) const;
  static std::string write(const std::vector<Piece>& pieces);
  std::string define(const char* prefix, const std::string& expression);

  std::vector<std::pair<std::string_view, int32_t>> specials_;  // longest first
  std::string rules_;
  int num_names_ = 0;
};

// A string of Lark.
std::string lark_string(std::string_view text);

}  // namespace mlc::text
