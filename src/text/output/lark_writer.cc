#include "text/output/lark_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace mlc::text {

LarkWriter::LarkWriter(const Tokenizer& tokenizer) {
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.is_special(id) || tokenizer.token_bytes(id).empty()) continue;
    specials_.emplace_back(tokenizer.token_bytes(id), id);
  }
  std::stable_sort(specials_.begin(), specials_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

std::string lark_string(std::string_view text) {
  std::string out = OrderedJson(std::string(text)).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  for (size_t at; (at = out.find('\x7f')) != std::string::npos;) out.replace(at, 1, "\\u007f");
  return out;
}

bool LarkWriter::has_special(std::string_view token) const {
  return std::any_of(specials_.begin(), specials_.end(), [token](const auto& s) { return s.first == token; });
}

std::vector<LarkWriter::Piece> LarkWriter::split(std::string_view text) const {
  std::vector<Piece> pieces;
  size_t begin = 0;  // of the ordinary text that is not in `pieces` yet
  for (size_t at = 0; at < text.size();) {
    const auto found = std::find_if(specials_.begin(), specials_.end(),
                                    [rest = text.substr(at)](const auto& s) { return rest.starts_with(s.first); });
    if (found == specials_.end()) {
      ++at;
      continue;
    }
    if (at > begin) pieces.push_back({text.substr(begin, at - begin), -1});
    pieces.push_back({found->first, found->second});
    at += found->first.size();
    begin = at;
  }
  if (begin < text.size()) pieces.push_back({text.substr(begin), -1});
  return pieces;
}

std::string LarkWriter::write(const std::vector<Piece>& pieces) {
  std::string out;
  for (const Piece& piece : pieces) {
    if (!out.empty()) out += ' ';
    out += piece.token < 0 ? lark_string(piece.text) : fmt::format("<[{}]>", piece.token);
  }
  return out.empty() ? "\"\"" : out;
}

std::string LarkWriter::literal(std::string_view text) const { return write(split(text)); }

// The ordinary text at the beginning of `after` is part of the same terminal: the lexer is greedy, and would else take
// it for the text before it.
std::string LarkWriter::text_before(std::string_view after, const std::vector<std::string_view>& never,
                                    std::string_view pattern) {
  std::vector<Piece> pieces = split(after);
  std::string expression = "(" + std::string(pattern);
  for (const std::string_view mark : never) {
    expression += fmt::format(" & ~({} {} {})", kAnyText, lark_string(mark), kAnyText);
  }
  expression += ")";
  if (!pieces.empty() && pieces[0].token < 0) {
    expression += " " + lark_string(pieces[0].text);
    pieces.erase(pieces.begin());
  }
  const std::string name = terminal(expression);
  return pieces.empty() ? name : name + " " + write(pieces);
}

std::string LarkWriter::json(const OrderedJson& schema) {
  OrderedJson with_options = schema;
  with_options["x-guidance"] = {
      {"whitespace_flexible", false}, {"item_separator", ", ?"}, {"key_separator", ": ?"}, {"lenient", false}};
  return rule("%json " + with_options.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

std::string LarkWriter::define(const char* prefix, const std::string& expression) {
  const std::string name = fmt::format("{}{}", prefix, num_names_++);
  rules_ += name + ": " + expression + "\n";
  return name;
}

}  // namespace mlc::text
