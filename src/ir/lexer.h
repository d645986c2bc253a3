// Tokens of the text form (private to ir/).
#pragma once

#include <string>
#include <string_view>

namespace mlc::ir::text {

enum class TokenKind { kName, kNumber, kString, kSymbol, kEnd, kBad };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // kString: unescaped; kNumber: digits with its type suffix; kBad: what is wrong
  int line = 1, column = 1;

  // What an error message calls it.
  std::string describe() const;
};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}
  Token next();

 private:
  std::string_view source_;
  size_t at_ = 0;
  int line_ = 1, column_ = 1;

  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  char advance();
  void skip_space();
  void number(Token& t);
  void string(Token& t);
};

}  // namespace mlc::ir::text
