#include "text/output/python_literal.h"

#include <cctype>
#include <charconv>
#include <string>

#include "text/output/marks.h"

namespace mlc::text {
namespace {

constexpr int kMaxDepth = 60;

void append_utf8(std::string* out, uint32_t code) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xC0 | (code >> 6));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out += static_cast<char>(0xE0 | (code >> 12));
    *out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out += static_cast<char>(0xF0 | (code >> 18));
    *out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    *out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<OrderedJson> whole() {
    OrderedJson value;
    if (!parse(&value, 0)) return std::nullopt;
    skip_space();
    if (at_ != text_.size()) return std::nullopt;
    return value;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  bool parse(OrderedJson* out, int depth) {
    if (depth > kMaxDepth) return false;
    skip_space();
    const char c = peek();
    if (c == '[' || c == '(') return parse_list(out, depth);
    if (c == '{') return parse_braces(out, depth);
    if (string_begins()) return parse_strings(out);
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+' || c == '.') return parse_number(out);
    return parse_word(out);
  }

  bool parse_word(OrderedJson* out) {
    size_t end = at_;
    while (end < text_.size() && std::isalpha(static_cast<unsigned char>(text_[end]))) ++end;
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    if (word == "True" || word == "true") {
      *out = true;
    } else if (word == "False" || word == "false") {
      *out = false;
    } else if (word == "None" || word == "null") {
      *out = nullptr;
    } else {
      return false;
    }
    return true;
  }

  // A list or tuple; "(1)" is the value in brackets.
  bool parse_list(OrderedJson* out, int depth) {
    const bool tuple = peek() == '(';
    ++at_;
    OrderedJson list = OrderedJson::array();
    bool comma = false;
    while (true) {
      skip_space();
      if (accept(tuple ? ')' : ']')) break;
      if (!list.empty() && !comma) return false;
      OrderedJson item;
      if (!parse(&item, depth + 1)) return false;
      list.push_back(std::move(item));
      skip_space();
      comma = accept(',');
    }
    if (tuple && list.size() == 1 && !comma) {
      OrderedJson only = list[0];
      *out = std::move(only);
    } else {
      *out = std::move(list);
    }
    return true;
  }

  // A dict, or a set, which becomes a list.
  bool parse_braces(OrderedJson* out, int depth) {
    ++at_;
    OrderedJson dict = OrderedJson::object(), list = OrderedJson::array();
    bool comma = true;
    while (true) {
      skip_space();
      if (accept('}')) break;
      if (!comma) return false;
      OrderedJson key, value;
      if (!parse(&key, depth + 1)) return false;
      skip_space();
      if (accept(':')) {
        if (!list.empty() || key.is_structured() || !parse(&value, depth + 1)) return false;
        dict[key.is_string() ? key.get<std::string>() : key.dump()] = std::move(value);
      } else {
        if (!dict.empty()) return false;
        list.push_back(std::move(key));
      }
      skip_space();
      comma = accept(',');
    }
    *out = list.empty() ? std::move(dict) : std::move(list);
    return true;
  }

  bool parse_number(OrderedJson* out) {
    const bool negative = peek() == '-';
    if (peek() == '-' || peek() == '+') ++at_;
    std::string digits;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool exponent_sign =
          (c == '-' || c == '+') && !digits.empty() && std::tolower(digits.back()) == 'e' && !digits.starts_with("0x");
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && !exponent_sign) break;
      if (c != '_') digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      ++at_;
    }
    if (digits.size() > 400) return false;
    if (digits.size() > 2 && digits[0] == '0' && std::isalpha(static_cast<unsigned char>(digits[1])) &&
        digits[1] != 'e') {
      return parse_based(out, digits, negative);
    }
    if (digits.starts_with('.')) digits.insert(0, "0");
    if (const size_t dot = digits.find('.'); dot != std::string::npos) {
      if (dot + 1 == digits.size() || digits[dot + 1] == 'e') digits.insert(dot + 1, "0");
    }
    OrderedJson value = OrderedJson::parse((negative ? "-" : "") + digits, nullptr, false);
    if (!value.is_number()) return false;
    *out = std::move(value);
    return true;
  }

  static bool parse_based(OrderedJson* out, const std::string& digits, bool negative) {
    const int base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : digits[1] == 'b' ? 2 : 0;
    int64_t value = 0;
    if (base == 0) return false;
    const auto [end, fault] = std::from_chars(digits.data() + 2, digits.data() + digits.size(), value, base);
    if (fault != std::errc() || end != digits.data() + digits.size()) return false;
    *out = negative ? -value : value;
    return true;
  }

  bool string_begins() const {
    size_t at = at_;
    while (at < text_.size() && at - at_ < 2 &&
           std::string_view("rRuUfFbB").find(text_[at]) != std::string_view::npos) {
      ++at;
    }
    return at < text_.size() && (text_[at] == '"' || text_[at] == '\'');
  }

  bool parse_strings(OrderedJson* out) {
    std::string joined;
    while (string_begins()) {
      if (!parse_string(&joined)) return false;
      skip_space();
    }
    *out = std::move(joined);
    return true;
  }

  bool parse_string(std::string* out) {
    bool raw = false;
    for (; peek() != '"' && peek() != '\''; ++at_) {
      const char prefix = static_cast<char>(std::tolower(static_cast<unsigned char>(peek())));
      if (prefix == 'b') return false;
      raw = raw || prefix == 'r';
    }
    const std::string_view three = text_.substr(at_, 3);
    const bool triple = three.size() == 3 && three[0] == three[1] && three[1] == three[2];
    const std::string_view quote = three.substr(0, triple ? 3 : 1);
    at_ += quote.size();
    while (true) {
      if (at_ >= text_.size()) return false;
      if (text_.substr(at_).starts_with(quote)) break;
      if (text_[at_] == '\\' && !raw) {
        if (!parse_escape(out)) return false;
      } else if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        *out += text_.substr(at_, 2);
        at_ += 2;
      } else {
        *out += text_[at_++];
      }
    }
    at_ += quote.size();
    return true;
  }

  bool parse_escape(std::string* out) {
    ++at_;
    if (at_ >= text_.size()) return false;
    const char c = text_[at_++];
    constexpr std::string_view kPlain = "\\'\"abfnrtv";
    constexpr std::string_view kMeaning = "\\'\"\a\b\f\n\r\t\v";
    if (const size_t i = kPlain.find(c); i != std::string_view::npos) {
      *out += kMeaning[i];
    } else if (c == '\n') {
      return true;  // the line goes on
    } else if (c == 'x' || c == 'u' || c == 'U') {
      return parse_code(out, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
    } else if (c >= '0' && c <= '7') {
      --at_;
      size_t digits = 0;
      while (digits < 3 && at_ + digits < text_.size() && text_[at_ + digits] >= '0' && text_[at_ + digits] <= '7')
        ++digits;
      return parse_code(out, digits, 8);
    } else {
      *out += '\\';
      *out += c;
    }
    return true;
  }

  bool parse_code(std::string* out, size_t digits, int base) {
    const std::string_view text = text_.substr(at_, digits);
    uint32_t code = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), code, base);
    if (fault != std::errc() || end != text.data() + text.size() || text.size() != digits) return false;
    at_ += digits;
    // JSON's habit in a Python string: two halves of one character.
    if (base == 16 && digits == 4 && code >= 0xD800 && code <= 0xDBFF && text_.substr(at_).starts_with("\\u")) {
      uint32_t low = 0;
      const std::string_view second = text_.substr(at_ + 2, 4);
      const auto parsed = std::from_chars(second.data(), second.data() + second.size(), low, 16);
      if (parsed.ec == std::errc() && low >= 0xDC00 && low <= 0xDFFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        at_ += 6;
      }
    }
    append_utf8(out, code);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::optional<OrderedJson> python_literal(std::string_view text) { return Parser(text).whole(); }

}  // namespace mlc::text
