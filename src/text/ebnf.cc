#include "text/ebnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/json.h"

namespace mlc::text {
namespace {

constexpr int kMaxDepth = 100;       // of groups
constexpr int kMaxRepeats = 10'000;  // in {n,m}

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  enum class Kind { kLiteral, kClass, kRef, kSequence, kChoice, kRepeat };
  Kind kind = Kind::kSequence;
  std::string text;  // kLiteral: UTF-8; kClass: a regular expression; kRef: the rule's name
  std::vector<NodePtr> children;
  int min = 0, max = -1;  // kRepeat; -1: no limit
  size_t at = 0;          // where it began, for messages
};

NodePtr make(Node::Kind kind, size_t at) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->at = at;
  return node;
}

struct Rule {
  std::string name;
  NodePtr body;
};

void append_utf8(std::string* out, uint32_t c) {
  if (c < 0x80) {
    *out += static_cast<char>(c);
  } else if (c < 0x800) {
    *out += {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
  } else if (c < 0x10000) {
    *out += {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
             static_cast<char>(0x80 | (c & 0x3F))};
  } else {
    *out += {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
             static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
  }
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Rule>> parse() {
    std::vector<Rule> rules;
    skip_space();
    while (at_ < text_.size()) {
      const size_t start = at_;
      const std::string name = take_name();
      if (name.empty()) return fail(start, "expected the name of a rule");
      skip_space();
      if (!take("::=")) return fail(at_, fmt::format("expected ::= after the name '{}'", name));
      skip_space();
      MLC_TRY(NodePtr body, choice(0));
      if (at_ < text_.size() && !at_rule()) {
        return fail(at_, fmt::format("'{}' is not expected here", text_.substr(at_, 1)));
      }
      rules.push_back({name, std::move(body)});
    }
    return rules;
  }

  Error fail(size_t at, const std::string& what) const {
    const std::string_view before = text_.substr(0, at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t newline = before.rfind('\n');
    const size_t column = at - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    return error("the grammar, line {}, column {}: {}", line, column, what);
  }

 private:
  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++at_;
      } else {
        return;
      }
    }
  }

  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }

  std::string take_name() {
    const size_t start = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  // A name with ::= after it.
  bool at_rule() {
    const size_t saved = at_;
    const bool named = !take_name().empty();
    skip_space();
    const bool found = named && text_.substr(at_).starts_with("::=");
    at_ = saved;
    return found;
  }

  Result<NodePtr> choice(int depth) {
    if (depth > kMaxDepth) return fail(at_, fmt::format("groups are nested deeper than {}", kMaxDepth));
    NodePtr all = make(Node::Kind::kChoice, at_);
    do {
      skip_space();
      MLC_TRY(NodePtr option, sequence(depth));
      all->children.push_back(std::move(option));
      skip_space();
    } while (take("|"));
    if (all->children.size() == 1) return std::move(all->children.front());
    return all;
  }

  Result<NodePtr> sequence(int depth) {
    NodePtr all = make(Node::Kind::kSequence, at_);
    while (at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')' && !at_rule()) {
      MLC_TRY(NodePtr item, atom(depth));
      skip_space();
      while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c != '*' && c != '+' && c != '?' && c != '{') break;
        MLC_TRY(item, repeat(std::move(item)));
        skip_space();
      }
      all->children.push_back(std::move(item));
    }
    if (all->children.size() == 1) return std::move(all->children.front());
    return all;
  }

  Result<NodePtr> atom(int depth) {
    const size_t start = at_;
    const char c = text_[at_];
    if (c == '"' || c == '\'') return literal();
    if (c == '[') return char_class();
    if (c == '.') {
      ++at_;
      NodePtr any = make(Node::Kind::kClass, start);
      any->text = "(?s:.)";
      return any;
    }
    if (take("(")) {
      if (at_ < text_.size() && text_[at_] == '?') return fail(start, "look-ahead is not supported");
      MLC_TRY(NodePtr group, choice(depth + 1));
      if (!take(")")) return fail(start, "this ( has no )");
      return group;
    }
    NodePtr ref = make(Node::Kind::kRef, start);
    ref->text = take_name();
    if (ref->text.empty()) return fail(start, fmt::format("'{}' is not expected here", text_.substr(start, 1)));
    skip_space();
    if (at_ < text_.size() && text_[at_] == '(') {
      const size_t name_end = start + ref->text.size();
      if (at_ == name_end) return fail(start, fmt::format("'{}(…)' is not supported", ref->text));
    }
    return ref;
  }

  Result<NodePtr> literal() {
    NodePtr node = make(Node::Kind::kLiteral, at_);
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\n') break;
      MLC_TRY(const uint32_t c, character());
      append_utf8(&node->text, c);
    }
    if (!take(std::string_view(&quote, 1))) return fail(node->at, "this text has no closing quote");
    return node;
  }

  // One code point, escaped or not.
  Result<uint32_t> character() {
    const size_t start = at_;
    const auto byte = static_cast<unsigned char>(text_[at_++]);
    if (byte != '\\') {
      const size_t more = byte < 0x80 ? 0 : byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 4;
      if (more == 4 || at_ + more > text_.size()) return fail(start, "not valid UTF-8");
      uint32_t c = more == 0 ? byte : byte & (0x3FU >> more);
      for (size_t i = 0; i < more; ++i) {
        const auto next = static_cast<unsigned char>(text_[at_++]);
        if ((next & 0xC0) != 0x80) return fail(start, "not valid UTF-8");
        c = (c << 6) | (next & 0x3FU);
      }
      return check_code_point(c, start);
    }
    if (at_ == text_.size()) return fail(start, "the text ends in an escape");
    const char kind = text_[at_++];
    switch (kind) {
      case 'n':
        return uint32_t{'\n'};
      case 'r':
        return uint32_t{'\r'};
      case 't':
        return uint32_t{'\t'};
      case 'x':
        return hex(2, start);
      case 'u':
        return hex(4, start);
      case 'U':
        return hex(8, start);
      default:
        break;
    }
    if (is_name_char(kind) && kind != '-' && kind != '_') {
      return fail(start, fmt::format("the escape \\{} is unknown", kind));
    }
    if (static_cast<unsigned char>(kind) >= 0x80) return fail(start, "this character needs no escape");
    return static_cast<uint32_t>(kind);
  }

  Result<uint32_t> hex(size_t digits, size_t start) {
    uint32_t c = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      const char d = at_ < text_.size() ? text_[at_] : ' ';
      const int value = d >= '0' && d <= '9'   ? d - '0'
                        : d >= 'a' && d <= 'f' ? d - 'a' + 10
                        : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                               : -1;
      if (value < 0 || c > 0x10FFFF) return fail(start, fmt::format("expected {} hexadecimal digits", digits));
      c = c * 16 + static_cast<uint32_t>(value);
    }
    return check_code_point(c, start);
  }

  Result<uint32_t> check_code_point(uint32_t c, size_t start) const {
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return fail(start, "not a Unicode character");
    return c;
  }

  Result<NodePtr> char_class() {
    NodePtr node = make(Node::Kind::kClass, at_);
    ++at_;
    const bool negated = take("^");
    std::string items;
    while (at_ < text_.size() && text_[at_] != ']') {
      if (text_[at_] == '\n') break;
      const size_t start = at_;
      MLC_TRY(const uint32_t low, character());
      uint32_t high = low;
      if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
        ++at_;
        MLC_TRY(high, character());
        if (high < low) return fail(start, "this range runs backwards");
      }
      items += fmt::format("\\u{{{:X}}}", low);
      if (high != low) items += fmt::format("-\\u{{{:X}}}", high);
    }
    if (!take("]")) return fail(node->at, "this [ has no ]");
    if (items.empty() && !negated) return fail(node->at, "this class holds no character");
    node->text = items.empty() ? "(?s:.)" : fmt::format("[{}{}]", negated ? "^" : "", items);
    return node;
  }

  Result<std::optional<int>> number() {
    skip_space();
    const size_t start = at_;
    int value = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      value = value * 10 + (text_[at_++] - '0');
      if (value > kMaxRepeats) return fail(start, fmt::format("more than {} repetitions", kMaxRepeats));
    }
    const bool found = at_ > start;
    skip_space();
    return found ? std::optional<int>(value) : std::nullopt;
  }

  Result<NodePtr> repeat(NodePtr item) {
    NodePtr node = make(Node::Kind::kRepeat, item->at);
    node->children.push_back(std::move(item));
    const size_t start = at_;
    const char c = text_[at_++];
    if (c == '?') node->max = 1;
    if (c == '+') node->min = 1;
    if (c != '{') return node;
    MLC_TRY(const std::optional<int> min, number());
    std::optional<int> max = min;
    if (take(",")) {
      MLC_TRY(max, number());
    } else if (!min) {
      return fail(start, "expected a number after {");
    }
    if (!take("}")) return fail(start, "this { has no }");
    node->min = min.value_or(0);
    node->max = max.value_or(-1);
    if (node->max >= 0 && node->max < node->min) return fail(start, "the limits of this repetition are swapped");
    return node;
  }

  std::string_view text_;
  size_t at_ = 0;
};

class Writer {
 public:
  Writer(const Parser& parser, const std::vector<Rule>& rules) : parser_(parser), rules_(rules) {}

  Result<std::string> write() {
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (!index_.emplace(rules_[i].name, i).second) {
        return parser_.fail(rules_[i].body->at, fmt::format("the rule '{}' is there twice", rules_[i].name));
      }
    }
    const auto root = index_.find("root");
    if (root == index_.end()) return error("the grammar has no rule named root, which is where it starts");
    MLC_TRY_VOID(check_references());
    find_regular();
    out_ = fmt::format("start: {}\n", rule_name(root->second));
    for (size_t i = 0; i < rules_.size(); ++i) {
      const std::string body = regular_[i] ? terminal(*rules_[i].body) : expression(*rules_[i].body);
      out_ += fmt::format("{}: {}\n", rule_name(i), body);
    }
    return out_;
  }

 private:
  static void collect(const Node& node, std::vector<const Node*>* refs) {
    if (node.kind == Node::Kind::kRef) refs->push_back(&node);
    for (const NodePtr& child : node.children) collect(*child, refs);
  }

  Result<void> check_references() {
    for (const Rule& rule : rules_) {
      std::vector<const Node*> refs;
      collect(*rule.body, &refs);
      std::vector<size_t> targets;
      for (const Node* ref : refs) {
        const auto it = index_.find(ref->text);
        if (it == index_.end()) return parser_.fail(ref->at, fmt::format("there is no rule '{}'", ref->text));
        targets.push_back(it->second);
      }
      targets_.push_back(std::move(targets));
    }
    return {};
  }

  // A rule is regular when all rules that it refers to are: repeated until nothing changes, cycles never get there.
  void find_regular() {
    regular_.assign(rules_.size(), false);
    std::vector<size_t> missing(rules_.size());
    std::vector<std::vector<size_t>> users(rules_.size());
    std::vector<size_t> ready;
    for (size_t i = 0; i < rules_.size(); ++i) {
      missing[i] = targets_[i].size();
      for (const size_t target : targets_[i]) users[target].push_back(i);
      if (missing[i] == 0) ready.push_back(i);
    }
    while (!ready.empty()) {
      const size_t i = ready.back();
      ready.pop_back();
      regular_[i] = true;
      for (const size_t user : users[i]) {
        if (--missing[user] == 0) ready.push_back(user);
      }
    }
  }

  // Upper case makes a terminal in Lark. The number keeps names apart that differ in case or in dashes.
  std::string rule_name(size_t i) const { return fmt::format("{}{}", regular_[i] ? "T" : "r", i); }

  bool is_regular(const Node& node) const {
    if (node.kind == Node::Kind::kRef) return regular_[index_.at(node.text)];
    return std::all_of(node.children.begin(), node.children.end(), [&](const NodePtr& c) { return is_regular(*c); });
  }

  static std::string suffix(const Node& repeat) {
    if (repeat.max < 0) return repeat.min == 0 ? "*" : repeat.min == 1 ? "+" : fmt::format("{{{},}}", repeat.min);
    if (repeat.min == 0 && repeat.max == 1) return "?";
    return fmt::format("{{{},{}}}", repeat.min, repeat.max);
  }

  // Of a regular node: an expression of terminals. Everything but a single value is in parentheses.
  std::string terminal(const Node& node) const {
    switch (node.kind) {
      case Node::Kind::kLiteral:
        return Json(node.text).dump();
      case Node::Kind::kClass:
        return "/" + node.text + "/";
      case Node::Kind::kRef:
        return rule_name(index_.at(node.text));
      case Node::Kind::kRepeat:
        return node.max == 0 ? "\"\"" : "(" + terminal(*node.children[0]) + ")" + suffix(node);
      case Node::Kind::kSequence:
      case Node::Kind::kChoice:
        break;
    }
    if (node.children.empty()) return "\"\"";
    const char* joint = node.kind == Node::Kind::kChoice ? " | " : " ";
    std::string out = "(";
    for (const NodePtr& child : node.children) out += (out.size() > 1 ? joint : "") + terminal(*child);
    return out + ")";
  }

  // Terminals of their own for regular parts of a recursive rule.
  std::string named_terminal(const std::string& body) {
    const auto [it, inserted] = made_.emplace(body, made_.size());
    const std::string name = fmt::format("P{}", it->second);
    if (inserted) out_ += fmt::format("{}: {}\n", name, body);
    return name;
  }

  std::string expression(const Node& node) {
    if (is_regular(node)) return named_terminal(terminal(node));
    if (node.kind == Node::Kind::kRef) return rule_name(index_.at(node.text));
    if (node.kind == Node::Kind::kRepeat) {
      return node.max == 0 ? "\"\"" : "(" + expression(*node.children[0]) + ")" + suffix(node);
    }
    const bool choice = node.kind == Node::Kind::kChoice;
    std::string out = "(", run;
    const auto add = [&](const std::string& part) { out += (out.size() > 1 ? (choice ? " | " : " ") : "") + part; };
    const auto end_run = [&] {
      if (!run.empty()) add(named_terminal("(" + std::exchange(run, "") + ")"));
    };
    for (const NodePtr& child : node.children) {
      if (is_regular(*child)) {
        run += (run.empty() ? "" : (choice ? " | " : " ")) + terminal(*child);
        continue;
      }
      end_run();
      add(expression(*child));
    }
    end_run();
    return out + ")";
  }

  const Parser& parser_;
  const std::vector<Rule>& rules_;
  std::map<std::string, size_t> index_;
  std::vector<std::vector<size_t>> targets_;
  std::vector<bool> regular_;
  std::map<std::string, size_t> made_;  // bodies of terminals P0, P1, …
  std::string out_;
};

}  // namespace

Result<std::string> lark_of_ebnf(std::string_view ebnf) {
  Parser parser(ebnf);
  MLC_TRY(const std::vector<Rule> rules, parser.parse());
  if (rules.empty()) return error("the grammar has no rules");
  return Writer(parser, rules).write();
}

}  // namespace mlc::text
