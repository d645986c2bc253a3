// Words and operator spellings that the printer and the parser share (private to ir/).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ir/stmt.h"

namespace mlc::ir::text {

struct BinarySpelling {
  BinaryOp op;
  std::string_view symbol;
  int precedence;  // higher binds tighter; 0: written as a function
};
inline constexpr BinarySpelling kBinary[] = {
    {BinaryOp::kMin, "min", 0},     {BinaryOp::kMax, "max", 0},    {BinaryOp::kEq, "==", 1}, {BinaryOp::kNe, "!=", 1},
    {BinaryOp::kLe, "<=", 1},       {BinaryOp::kGe, ">=", 1},      {BinaryOp::kLt, "<", 1},  {BinaryOp::kGt, ">", 1},
    {BinaryOp::kOr, "|", 2},        {BinaryOp::kXor, "^", 3},      {BinaryOp::kAnd, "&", 4}, {BinaryOp::kShl, "<<", 5},
    {BinaryOp::kShr, ">>", 5},      {BinaryOp::kAdd, "+", 6},      {BinaryOp::kSub, "-", 6}, {BinaryOp::kMul, "*", 7},
    {BinaryOp::kFloorDiv, "//", 7}, {BinaryOp::kFloorMod, "%", 7}, {BinaryOp::kDiv, "/", 7},
};
inline constexpr int kUnaryPrecedence = 8;
inline constexpr int kAtomPrecedence = 9;

inline const BinarySpelling& spelling(BinaryOp op) {
  for (const BinarySpelling& b : kBinary) {
    if (b.op == op) return b;
  }
  MLC_UNREACHABLE("binary operator {}", static_cast<int>(op));
}

inline std::string_view spelling(Scope s) {
  return s == Scope::kGlobal ? "global" : s == Scope::kShared ? "shared" : "local";
}
inline std::optional<Scope> parse_scope(std::string_view s) {
  for (Scope scope : {Scope::kGlobal, Scope::kShared, Scope::kLocal}) {
    if (spelling(scope) == s) return scope;
  }
  return std::nullopt;
}

inline std::string_view spelling(ReduceOp op) {
  return op == ReduceOp::kAdd ? "reduce_add" : op == ReduceOp::kMin ? "reduce_min" : "reduce_max";
}

inline bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
inline bool is_name_char(char c) { return is_name_start(c) || (c >= '0' && c <= '9') || c == '.'; }

// Words that cannot name a variable or a buffer.
inline bool is_reserved(std::string_view s) {
  static constexpr std::string_view kWords[] = {
      "func",    "attrs",      "for",        "in",         "serial",    "parallel",    "vectorized", "unrolled",
      "thread",  "if",         "else",       "alloc",      "let",       "block",       "spatial",    "reduce",
      "where",   "reads",      "writes",     "allocs",     "init",      "evaluate",    "assume",     "prefetch",
      "barrier", "locality",   "align",      "global",     "shared",    "local",       "true",       "false",
      "cast",    "select",     "load_bits",  "ramp",       "broadcast", "reinterpret", "shuffle",    "min",
      "max",     "reduce_add", "reduce_min", "reduce_max", "inf",       "nan"};
  for (std::string_view w : kWords) {
    if (w == s) return true;
  }
  return DType::parse(s).has_value();
}
inline bool is_plain_name(std::string_view s) {
  if (s.empty() || !is_name_start(s[0]) || is_reserved(s)) return false;
  for (char c : s) {
    if (!is_name_char(c)) return false;
  }
  return true;
}

}  // namespace mlc::ir::text
