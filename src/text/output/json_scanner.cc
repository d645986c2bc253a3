#include "text/output/json_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace mlc::text {
namespace {

constexpr size_t kMaxDepth = 60;  // request bodies are refused beyond 64, and these arguments come back in them
constexpr size_t kMaxScalar = 400;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
// Json::accept() refuses numbers that no double holds; JSON has no such limit.
bool is_number(std::string_view text) {
  const auto digits = [&text] {
    const size_t n = std::min(text.size(), text.find_first_not_of("0123456789"));
    text.remove_prefix(n);
    return n;
  };
  const auto skip = [&text](std::string_view chars) {
    const bool found = !text.empty() && chars.find(text[0]) != std::string_view::npos;
    if (found) text.remove_prefix(1);
    return found;
  };
  skip("-");
  if (!skip("0") && digits() == 0) return false;
  if (skip(".") && digits() == 0) return false;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0) return false;
  }
  return text.empty();
}

bool is_scalar_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '+' || c == '.'; }

}  // namespace

bool JsonScanner::put(char c, std::string* out) {
  if (status_ != Status::kMore) return false;
  if (quote_) return put_in_string(c, out);
  if (!scalar_.empty()) {
    if (is_scalar_char(c)) {
      scalar_ += c;
      return scalar_.size() <= kMaxScalar || fail();
    }
    end_scalar(out);
    if (status_ != Status::kMore) return false;
  }
  if (is_space(c)) {
    if (!comma_.empty()) {
      comma_ += c;
    } else if (started_) {
      *out += c;
    }
    return true;
  }
  return put_structure(c, out);
}

bool JsonScanner::put_structure(char c, std::string* out) {
  const bool value = expect_ == Expect::kValue || expect_ == Expect::kValueOrEnd;
  if (c == '}' || c == ']') return close(c, out);
  if (c == ',' && expect_ == Expect::kCommaOrEnd) {
    comma_ = ",";
    expect_ = stack_.back() == '{' ? Expect::kKeyOrEnd : Expect::kValueOrEnd;  // a closing bracket drops the comma
    return true;
  }
  if (c == ':' && expect_ == Expect::kColon) {
    *out += c;
    expect_ = Expect::kValue;
    return true;
  }
  const bool key = expect_ == Expect::kKey || expect_ == Expect::kKeyOrEnd;
  if (!value && !key) return fail();
  if (key && c != '"' && c != '\'') return fail();
  if (!is_scalar_char(c) && c != '"' && c != '\'' && c != '{' && c != '[') return fail();
  started_ = true;
  *out += std::exchange(comma_, {});
  if (c == '"' || c == '\'') {
    quote_ = c;
    key_ = key;
    *out += '"';
    return true;
  }
  if (c == '{' || c == '[') return open(c, out);
  scalar_ = c;
  return true;
}

bool JsonScanner::open(char c, std::string* out) {
  if (stack_.size() >= kMaxDepth) return fail();
  stack_ += c;
  *out += c;
  expect_ = c == '{' ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
  return true;
}

bool JsonScanner::close(char c, std::string* out) {
  if (stack_.empty() || (stack_.back() == '{') != (c == '}')) return fail();
  const Expect at_end = c == '}' ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
  if (expect_ != Expect::kCommaOrEnd && expect_ != at_end) return fail();
  comma_.clear();
  stack_.pop_back();
  *out += c;
  value_done();
  return true;
}

void JsonScanner::value_done() {
  expect_ = Expect::kCommaOrEnd;
  if (stack_.empty()) status_ = Status::kDone;
}

bool JsonScanner::put_in_string(char c, std::string* out) {
  if (unicode_left_ > 0 && std::isxdigit(static_cast<unsigned char>(c))) {
    put_unicode(c, out);
  } else if (unicode_left_ > 0) {  // no escape after all: its text stays
    flush_surrogate(out);
    *out += "\\\\u" + std::exchange(unicode_, {});
    unicode_left_ = 0;
    return put_in_string(c, out);
  } else if (escaped_) {
    escaped_ = false;
    put_escape(c, out);
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == quote_) {
    flush_surrogate(out);
    *out += '"';
    quote_ = 0;
    if (key_) {
      expect_ = Expect::kColon;
    } else {
      value_done();
    }
  } else {
    flush_surrogate(out);
    add_plain(c, out);
  }
  return true;
}

void JsonScanner::add_plain(char c, std::string* out) {
  if (c == '"') {
    *out += "\\\"";
  } else if (c == '\n') {
    *out += "\\n";
  } else if (c == '\t') {
    *out += "\\t";
  } else if (c == '\r') {
    *out += "\\r";
  } else if (static_cast<unsigned char>(c) < 0x20) {
    *out += fmt::format("\\u{:04x}", static_cast<int>(c));
  } else {
    *out += c;
  }
}

void JsonScanner::put_escape(char c, std::string* out) {
  if (c == 'u') {
    unicode_left_ = 4;
    return;
  }
  flush_surrogate(out);
  if (c == '\'') {
    *out += c;
  } else if (std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos) {
    *out += '\\';
    *out += c;
  } else {
    *out += "\\\\";
    add_plain(c, out);
  }
}

// Halves of a character that do not meet become U+FFFD.
void JsonScanner::put_unicode(char c, std::string* out) {
  unicode_ += c;
  if (--unicode_left_ > 0) return;
  const long code = std::strtol(unicode_.c_str(), nullptr, 16);
  const std::string text = "\\u" + std::exchange(unicode_, {});
  if (code >= 0xD800 && code <= 0xDBFF) {
    flush_surrogate(out);
    surrogate_ = text;
  } else if (code >= 0xDC00 && code <= 0xDFFF) {
    *out += surrogate_.empty() ? "\\ufffd" : surrogate_ + text;
    surrogate_.clear();
  } else {
    flush_surrogate(out);
    *out += text;
  }
}

void JsonScanner::flush_surrogate(std::string* out) {
  if (surrogate_.empty()) return;
  surrogate_.clear();
  *out += "\\ufffd";
}

void JsonScanner::end_scalar(std::string* out) {
  std::string word = std::exchange(scalar_, {});
  if (word == "True") word = "true";
  if (word == "False") word = "false";
  if (word == "None") word = "null";
  if (word != "true" && word != "false" && word != "null" && !is_number(word)) {
    fail();
    return;
  }
  *out += word;
  value_done();
}

void JsonScanner::end(std::string* out) {
  if (status_ != Status::kMore) return;
  if (!scalar_.empty() && stack_.empty()) end_scalar(out);
  if (status_ == Status::kMore) fail();
}

bool is_whole_json(std::string_view text) {
  JsonScanner scanner;
  std::string out;
  for (const char c : text) {
    if (!scanner.put(c, &out)) return false;
  }
  scanner.end(&out);
  return scanner.status() == JsonScanner::Status::kDone && out == text;
}

}  // namespace mlc::text
