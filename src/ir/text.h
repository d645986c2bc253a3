// The text form of the IR: printer and parser. parse(print(m)) is structurally equal to m, and print(parse(t)) == t for
// text that print() wrote. The grammar stands in docs/ir.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ir/func.h"

namespace mlc::ir {

std::string print(const Expr& e);
std::string print(const Stmt& s, int indent = 0);
std::string print(const PrimFunc& f);
std::string print(const Module& m);

// Errors name line and column, what was found and what was expected.
Result<Module> parse_module(std::string_view text, const std::string& file = "<text>");
Result<PrimFunc> parse_func(std::string_view text, const std::string& file = "<text>");

// Equal up to the names and identities of bound variables, loops and buffers (alpha equivalence); parameters map by
// position. If different, *why (when given) says where.
bool structural_equal(const PrimFunc& a, const PrimFunc& b, std::string* why = nullptr);
bool structural_equal(const Module& a, const Module& b, std::string* why = nullptr);

}  // namespace mlc::ir
