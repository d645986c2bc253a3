#include "lower/partition_loops.h"

#include <optional>

#include "arith/affine.h"
#include "arith/simplify.h"
#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

void split_conjuncts(const Expr& cond, std::vector<Expr>& out) {
  const Binary* b = as<Binary>(cond);
  if (b && b->op == BinaryOp::kAnd && cond.dtype().is_bool()) {
    split_conjuncts(b->a, out);
    split_conjuncts(b->b, out);
  } else {
    out.push_back(cond);
  }
}

// cond as form < 0; nothing if it is no comparison of that kind.
std::optional<arith::LinearForm> as_negative(const Expr& cond) {
  const Binary* b = as<Binary>(cond);
  if (!b || b->a.dtype() != DType::i64()) return std::nullopt;
  arith::LinearForm form = arith::linear_form(b->a), right = arith::linear_form(b->b);
  form.add(right, -1);
  if (b->op == BinaryOp::kLt) return form;
  if (b->op == BinaryOp::kLe) {  // a - b <= 0  <=>  a - b - 1 < 0
    form.constant -= 1;
    return form;
  }
  if (b->op != BinaryOp::kGt && b->op != BinaryOp::kGe) return std::nullopt;
  arith::LinearForm negated;
  negated.add(form, -1);
  if (b->op == BinaryOp::kGe) negated.constant -= 1;
  return negated;
}

// The guards in a loop's body that hold below some value of the loop variable.
class GuardCollector : public Visitor {
 public:
  explicit GuardCollector(Var var) : var_(std::move(var)) {}
  std::vector<const ExprNode*> guards;  // conjuncts that are true for var < every limit
  std::vector<Expr> limits;

  using Visitor::visit;
  void visit(const Expr& e) override {
    if (const Load* l = as<Load>(e)) consider(l->predicate);
    Visitor::visit(e);
  }
  void visit(const Stmt& s) override {
    if (!s) return;
    if (const If* i = as<If>(s)) consider(i->cond);
    if (const Store* st = as<Store>(s)) consider(st->predicate);
    const arith::Bounds saved = bounds_;
    const std::set<Var> saved_vars = inner_;
    if (const For* f = as<For>(s)) {
      bounds_.bind(f->var, f->min, f->extent);
      inner_.insert(f->var);
    } else if (const Let* l = as<Let>(s)) {
      inner_.insert(l->var);
    }
    Visitor::visit(s);
    bounds_ = saved;
    inner_ = saved_vars;
  }

 private:
  void consider(const Expr& cond) {
    if (!cond) return;
    std::vector<Expr> parts;
    split_conjuncts(cond, parts);
    for (const Expr& part : parts) {
      if (auto limit = limit_of(part)) {
        guards.push_back(part.get());
        limits.push_back(*limit);
      }
    }
  }

  // c * var + outer + inner < 0 for all inner  <=>  var < floordiv(-(outer + max inner) - 1, c) + 1.
  std::optional<Expr> limit_of(const Expr& cond) const {
    const auto form = as_negative(cond);
    if (!form || form->hides(var_)) return std::nullopt;
    const int64_t c = form->coefficient(var_);
    if (c <= 0) return std::nullopt;
    arith::LinearForm outer, inner;
    for (const auto& t : form->without(var_).terms) {
      bool is_inner = false;
      for (const Var& v : free_vars(t.atom)) is_inner = is_inner || inner_.count(v) > 0;
      bool loads = false;
      for_each_expr(t.atom, [&](const Expr& e) { loads = loads || as<Load>(e) || as<LoadBits>(e); });
      if (loads) return std::nullopt;  // memory may change inside the loop
      (is_inner ? inner : outer).add(t.atom, t.coefficient);
    }
    inner.constant = form->constant;
    const int64_t most = arith::bounds_of(inner.to_expr(), bounds_).max;
    if (most == arith::IntSet::kInf) return std::nullopt;
    return floordiv(-outer.to_expr() - Expr(most) - 1, Expr(c)) + 1;
  }

  Var var_;
  arith::Bounds bounds_;
  std::set<Var> inner_;
};

// Replaces the guards, found by identity, with true.
class GuardRemover : public Mutator {
 public:
  explicit GuardRemover(const std::vector<const ExprNode*>& guards) : guards_(guards.begin(), guards.end()) {}
  using Mutator::mutate;
  Expr mutate(const Expr& e) override {
    if (e && guards_.count(e.get())) return imm(DType::boolean(), 1);
    return Mutator::mutate(e);
  }

 private:
  std::set<const ExprNode*> guards_;
};

class Partitioner : public Mutator {
 public:
  explicit Partitioner(const PrimFunc& f) { bounds_.bind_sizes(f); }

  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const For* f = as<For>(s);
    if (!f) return Mutator::mutate(s);
    const arith::Bounds saved = bounds_;
    Stmt result = f->kind == ForKind::kSerial || f->kind == ForKind::kParallel ? partition(*f) : Stmt();
    if (!result) {
      bounds_.bind(f->var, f->min, f->extent);
      result = Mutator::mutate(s);
    }
    bounds_ = saved;
    return result;
  }

 private:
  Stmt partition(const For& loop) {
    GuardCollector guards(loop.var);
    guards.visit(loop.body);
    if (guards.guards.empty()) return {};
    Expr limit = guards.limits[0];
    for (size_t i = 1; i < guards.limits.size(); ++i) limit = min(limit, guards.limits[i]);
    limit = arith::simplify(limit, bounds_);
    const Expr end = loop.min + loop.extent;
    const Stmt bare = GuardRemover(guards.guards).mutate(loop.body);
    if (arith::prove(limit >= end, bounds_)) return finish(loop, loop.min, loop.extent, bare);
    if (arith::prove(limit <= loop.min, bounds_)) return {};  // nothing but tail
    if (loop.kind == ForKind::kParallel) {
      For both = loop;
      bounds_.bind(loop.var, loop.min, loop.extent);
      both.body = if_(Expr(loop.var) < limit, mutate(bare), refresh(loop.body));
      return make_stmt(std::move(both));
    }
    const Expr full = arith::simplify(max(min(limit - loop.min, loop.extent), 0), bounds_);
    const Stmt hot = finish(loop, loop.min, full, bare);
    const Stmt tail = refresh(for_(loop.var, loop.min + full, loop.extent - full, loop.body, loop.kind));
    return seq({hot, tail});
  }

  Stmt finish(const For& loop, const Expr& start, const Expr& extent, const Stmt& body) {
    For f = loop;
    f.min = start;
    f.extent = extent;
    bounds_.bind(loop.var, start, extent);
    f.body = mutate(body);
    return make_stmt(std::move(f));
  }

  arith::Bounds bounds_;
};

}  // namespace

PrimFunc partition_loops(const PrimFunc& f) {
  PrimFunc result = f;
  result.body = Partitioner(f).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
