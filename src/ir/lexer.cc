#include "ir/lexer.h"

#include "ir/text_names.h"

namespace mlc::ir::text {

std::string Token::describe() const {
  switch (kind) {
    case TokenKind::kEnd:
      return "the end of the text";
    case TokenKind::kString:
      return "the string \"" + text + "\"";
    case TokenKind::kBad:
      return text;
    default:
      return "'" + text + "'";
  }
}

char Lexer::advance() {
  const char c = peek();
  ++at_;
  if (c == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
  return c;
}

void Lexer::skip_space() {
  while (at_ < source_.size()) {
    const char c = peek();
    if (c == '#') {
      while (at_ < source_.size() && peek() != '\n') advance();
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      advance();
    } else {
      return;
    }
  }
}

void Lexer::number(Token& t) {
  t.kind = TokenKind::kNumber;
  auto digits = [&] {
    while (peek() >= '0' && peek() <= '9') t.text += advance();
  };
  digits();
  if (peek() == '.' && peek(1) >= '0' && peek(1) <= '9') {
    t.text += advance();
    digits();
  }
  const char after = peek(1);
  if (peek() == 'e' && ((after >= '0' && after <= '9') || after == '-' || after == '+')) {
    t.text += advance();
    t.text += advance();
    digits();
  }
  while (is_name_char(peek())) t.text += advance();
}

void Lexer::string(Token& t) {
  t.kind = TokenKind::kString;
  advance();
  while (peek() != '"') {
    if (at_ >= source_.size() || peek() == '\n') {
      t.kind = TokenKind::kBad;
      t.text = "a string without its closing quote";
      return;
    }
    char c = advance();
    if (c == '\\') {
      c = advance();
      if (c == 'n') {
        c = '\n';
      } else if (c == 'x') {
        int value = 0;
        for (int i = 0; i < 2; ++i) {
          const char h = advance();
          value = value * 16 + (h >= '0' && h <= '9' ? h - '0' : h >= 'a' && h <= 'f' ? h - 'a' + 10 : 0);
        }
        c = static_cast<char>(value);
      }
    }
    t.text += c;
  }
  advance();
}

Token Lexer::next() {
  skip_space();
  Token t;
  t.line = line_;
  t.column = column_;
  if (at_ >= source_.size()) return t;
  const char c = peek();
  if (is_name_start(c)) {
    t.kind = TokenKind::kName;
    while (is_name_char(peek())) t.text += advance();
    return t;
  }
  if (c >= '0' && c <= '9') {
    number(t);
    return t;
  }
  if (c == '"') {
    string(t);
    return t;
  }
  static constexpr std::string_view kSymbols[] = {"+:", "==", "!=", "<=", ">=", "<<", ">>", "//", "(", ")",
                                                  "[",  "]",  "{",  "}",  ",",  ":",  "=",  "<",  ">", "+",
                                                  "-",  "*",  "/",  "%",  "&",  "|",  "^",  "!",  "@", ";"};
  for (std::string_view s : kSymbols) {
    if (source_.substr(at_, s.size()) == s) {
      t.kind = TokenKind::kSymbol;
      t.text = s;
      for (size_t i = 0; i < s.size(); ++i) advance();
      return t;
    }
  }
  t.kind = TokenKind::kBad;
  t.text = std::string("the character '") + c + "'";
  advance();
  return t;
}

}  // namespace mlc::ir::text
