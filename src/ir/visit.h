// Walking and rewriting the IR.
//
//   struct CountLoads : Visitor { int n = 0; void visit(const Expr& e) override { n += as<Load>(e) != nullptr;
//   Visitor::visit(e); } }; Expr e2 = substitute(e, {{i, j + 1}});
#pragma once

#include <functional>
#include <map>
#include <set>

#include "ir/func.h"

namespace mlc::ir {

// Visits every expression and statement once per occurrence, parents first. Override, and call the base to go on.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void visit(const Expr& e);  // null: nothing
  virtual void visit(const Stmt& s);  // null: nothing
};

// Rebuilds what changes and shares what does not. Override, and call the base for the children.
class Mutator {
 public:
  virtual ~Mutator() = default;
  virtual Expr mutate(const Expr& e);
  virtual Stmt mutate(const Stmt& s);
  virtual Buffer mutate_buffer(const Buffer& b) { return b; }  // every use of a buffer passes here
};

// Substitution does not touch binders. Buffers declared inside whose shape mentions a replaced variable are replaced
// too; parameters are not (see specialize).
using VarMap = std::map<Var, Expr>;
using BufferMap = std::map<Buffer, Buffer>;
Expr substitute(const Expr& e, const VarMap& vars);
Stmt substitute(const Stmt& s, const VarMap& vars);
Stmt replace_buffers(const Stmt& s, const BufferMap& buffers);
Expr replace_buffers(const Expr& e, const BufferMap& buffers);
// The function with some of its sizes replaced (by constants, or by expressions of the other sizes): they leave the
// parameter list, and buffers whose shapes mention them become new buffers.
PrimFunc specialize(const PrimFunc& f, const VarMap& sizes);
// A copy in which every variable, block-local buffer and loop is fresh (function parameters are kept).
Stmt refresh(const Stmt& s);
std::set<Var> free_vars(const Expr& e);
std::set<Var> free_vars(const Stmt& s);
bool uses_var(const Expr& e, const Var& v);
bool uses_var(const Stmt& s, const Var& v);
// Equal as trees, variables and buffers by identity. Fast; for "is this the same index?".
bool equal(const Expr& a, const Expr& b);
// Calls f on each node, parents first.
void for_each_expr(const Stmt& s, const std::function<void(const Expr&)>& f);
void for_each_expr(const Expr& e, const std::function<void(const Expr&)>& f);
void for_each_stmt(const Stmt& s, const std::function<void(const Stmt&)>& f);

}  // namespace mlc::ir
