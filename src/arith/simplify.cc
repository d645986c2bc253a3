#include "arith/simplify.h"

#include "arith/simplifier.h"

namespace mlc::arith {

using namespace ir;  // NOLINT: the folder is about ir

namespace {

// Statements; the bounds grow and shrink with the scopes.
class StmtSimplifier : public Simplifier {
 public:
  using Simplifier::Simplifier;

  using Simplifier::mutate;
  Stmt mutate(const Stmt& s) override {
    if (!s) return s;
    if (const For* x = as<For>(s)) return loop(s, *x);
    if (const If* x = as<If>(s)) return branch(s, *x);
    if (const Let* x = as<Let>(s)) return let_stmt(s, *x);
    if (const Block* x = as<Block>(s)) return block(s, *x);
    if (const Seq* x = as<Seq>(s)) return sequence(s, *x);
    if (const Store* x = as<Store>(s)) return store_stmt(s, *x);
    if (const Assume* x = as<Assume>(s)) {
      Expr c = whole(x->cond);
      return is_const(c, 1) ? Stmt() : c.same_as(x->cond) ? s : assume(c);
    }
    if (const Evaluate* x = as<Evaluate>(s)) {
      Expr v = whole(x->value);
      return is_constant_expr(v) ? Stmt() : v.same_as(x->value) ? s : evaluate(v);
    }
    if (const Allocate* x = as<Allocate>(s)) {
      Stmt body = mutate(x->body);
      if (!body || !uses_buffer(body, x->buffer)) return body;
      return body.same_as(x->body) ? s : allocate(x->buffer, body);
    }
    return Mutator::mutate(s);
  }

 private:
  Expr whole(const Expr& e) { return e ? to_fixpoint(e) : e; }

  static bool uses_buffer(const Stmt& s, const Buffer& b) {
    bool found = false;
    for_each_expr(s, [&](const Expr& e) {
      if (const Load* l = as<Load>(e)) found |= l->buffer == b;
      if (const LoadBits* l = as<LoadBits>(e)) found |= l->buffer == b;
    });
    for_each_stmt(s, [&](const Stmt& x) {
      if (const Store* st = as<Store>(x)) found |= st->buffer == b;
      if (const Prefetch* p = as<Prefetch>(x)) found |= p->buffer == b;
      if (const Block* k = as<Block>(x)) {
        for (const auto* regions : {&k->reads, &k->writes}) {
          for (const BufferRegion& r : *regions) found |= r.buffer == b;
        }
      }
    });
    return found;
  }

  template <typename F>
  auto scoped(F&& f) {
    Bounds saved = bounds_;
    auto result = f();
    bounds_ = std::move(saved);
    return result;
  }

  Stmt loop(const Stmt& s, const For& x) {
    Expr min = whole(x.min), extent = whole(x.extent);
    if (is_const(extent, 0) || bounds_of(extent, bounds_).max <= 0) return {};
    const bool plain = x.kind != ForKind::kThread && x.annotations.empty();
    if (plain && is_const(extent, 1)) return mutate(substitute(x.body, {{x.var, min}}));
    Stmt body = scoped([&] {
      bounds_.bind(x.var, min, extent);
      return mutate(x.body);
    });
    if (!body) return {};
    if (min.same_as(x.min) && extent.same_as(x.extent) && body.same_as(x.body)) return s;
    For n = x;
    n.min = min;
    n.extent = extent;
    n.body = body;
    return make_stmt(std::move(n));
  }

  Stmt branch(const Stmt& s, const If& x) {
    Expr cond = whole(x.cond);
    if (is_const(cond, 1)) return mutate(x.then_case);
    if (is_const(cond, 0)) return x.else_case ? mutate(x.else_case) : Stmt();
    Stmt then_case = scoped([&] {
      bounds_.assume(cond);
      return mutate(x.then_case);
    });
    Stmt else_case = scoped([&] {
      if (!x.else_case) return Stmt();
      bounds_.assume(whole(logical_not(cond)));
      return mutate(x.else_case);
    });
    if (!then_case && !else_case) return {};
    if (!then_case) return if_(whole(logical_not(cond)), else_case);
    const bool same = cond.same_as(x.cond) && then_case.same_as(x.then_case) && else_case.same_as(x.else_case);
    return same ? s : if_(cond, then_case, else_case);
  }

  Stmt let_stmt(const Stmt& s, const Let& x) {
    Expr value = whole(x.value);
    if (is_constant_expr(value) || as<VarRef>(value)) return mutate(substitute(x.body, {{x.var, value}}));
    Stmt body = scoped([&] {
      if (value.dtype().is_any_int() && value.dtype().lanes == 1) bounds_.set(x.var, bounds_of(value, bounds_));
      return mutate(x.body);
    });
    if (!body || !uses_var(body, x.var)) return body;
    return value.same_as(x.value) && body.same_as(x.body) ? s : let(x.var, value, body);
  }

  // What an Assume says holds for the statements after it.
  Stmt sequence(const Stmt& s, const Seq& x) {
    return scoped([&] {
      std::vector<Stmt> out;
      bool changed = false;
      for (const Stmt& c : x.stmts) {
        Stmt n = mutate(c);
        changed |= !n.same_as(c);
        if (const Assume* a = as<Assume>(n)) bounds_.assume(a->cond);
        out.push_back(std::move(n));
      }
      if (!changed) return s;
      Stmt result = seq(std::move(out));
      const Seq* q = as<Seq>(result);
      return q && q->stmts.empty() ? Stmt() : result;
    });
  }

  Stmt store_stmt(const Stmt& s, const Store& x) {
    Expr predicate = whole(x.predicate);
    if (predicate && is_constant_expr(predicate)) {
      const Broadcast* b = as<Broadcast>(predicate);
      if (is_const(b ? b->a : predicate, 0)) return {};
      predicate = {};
    }
    std::vector<Expr> indices;
    bool changed = !predicate.same_as(x.predicate);
    for (const Expr& i : x.indices) {
      indices.push_back(whole(i));
      changed |= !indices.back().same_as(i);
    }
    Expr value = whole(x.value);
    if (!changed && value.same_as(x.value)) return s;
    return store(x.buffer, std::move(indices), value, predicate);
  }

  std::vector<BufferRegion> regions(const std::vector<BufferRegion>& rs) {
    std::vector<BufferRegion> out = rs;
    for (BufferRegion& r : out) {
      for (Range& range : r.ranges) range = Range{whole(range.min), whole(range.extent)};
    }
    return out;
  }

  Stmt block(const Stmt& s, const Block& x) {
    Block n = x;
    n.predicate = whole(x.predicate);
    if (n.predicate && is_const(n.predicate, 0)) return {};
    if (n.predicate && is_const(n.predicate, 1)) n.predicate = {};
    for (IterVar& it : n.iters) {
      it.extent = whole(it.extent);
      it.binding = whole(it.binding);
    }
    scoped([&] {
      for (const IterVar& it : n.iters) bounds_.bind(it.var, Expr(0), it.extent);
      n.reads = regions(x.reads);
      n.writes = regions(x.writes);
      n.init = mutate(x.init);
      n.body = mutate(x.body);
      return 0;
    });
    (void)s;
    if (!n.body) {
      if (!n.init) return {};
      n.body = make_stmt(Seq{});
    }
    return make_stmt(std::move(n));
  }
};

}  // namespace

Expr simplify(const Expr& e, const Bounds& bounds) { return e ? Simplifier(bounds).to_fixpoint(e) : e; }

Stmt simplify(const Stmt& s, const Bounds& bounds) { return StmtSimplifier(bounds).mutate(s); }

PrimFunc simplify(const PrimFunc& f) {
  PrimFunc out = f;
  Bounds bounds;
  bounds.bind_sizes(f);
  out.body = simplify(f.body, bounds);
  if (!out.body) out.body = make_stmt(Seq{});
  return out;
}

bool prove(const Expr& cond, const Bounds& bounds) { return Simplifier(bounds).prove(cond); }

bool prove_equal(const Expr& a, const Expr& b, const Bounds& bounds) {
  if (a.dtype() != b.dtype()) return false;
  if (equal(a, b)) return true;
  Simplifier s(bounds);
  const Expr x = s.to_fixpoint(a), y = s.to_fixpoint(b);
  if (equal(x, y)) return true;
  if (!a.dtype().is_any_int() || a.dtype().lanes > 1) return false;
  if (a.dtype() == DType::i64()) return is_const(s.to_fixpoint(eq(x, y)), 1);
  return is_const(s.to_fixpoint(x - y), 0);
}

}  // namespace mlc::arith
