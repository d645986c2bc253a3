#include "lower/compact_buffers.h"

#include <optional>

#include "arith/affine.h"
#include "arith/simplify.h"
#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

struct Access {
  std::vector<Expr> indices;
  arith::Bounds inner;       // of the loop variables between the point looked at and the access
  std::set<Var> inner_vars;  // the same variables
  int64_t last_lane = 0;     // LoadBits: how many elements follow the first
};

// All accesses of one buffer inside a statement.
class AccessCollector : public Visitor {
 public:
  explicit AccessCollector(Buffer buffer) : buffer_(std::move(buffer)) {}
  std::vector<Access> accesses;

  using Visitor::visit;
  void visit(const Expr& e) override {
    if (!e) return;
    if (const Load* l = as<Load>(e)) add(l->buffer, l->indices, 1);
    if (const LoadBits* l = as<LoadBits>(e)) add(l->buffer, l->indices, e.dtype().bytes() / l->buffer->dtype.bytes());
    Visitor::visit(e);
  }
  void visit(const Stmt& s) override {
    if (!s) return;
    if (const Store* st = as<Store>(s)) add(st->buffer, st->indices, 1);
    if (const Prefetch* p = as<Prefetch>(s)) add(p->buffer, p->indices, 1);
    const arith::Bounds saved = bounds_;
    const std::set<Var> saved_vars = vars_;
    if (const For* f = as<For>(s)) {
      bounds_.bind(f->var, f->min, f->extent);
      vars_.insert(f->var);
    } else if (const Let* l = as<Let>(s)) {
      bounds_.set(l->var, arith::bounds_of(l->value, bounds_));
      vars_.insert(l->var);
    }
    Visitor::visit(s);
    bounds_ = saved;
    vars_ = saved_vars;
  }

 private:
  void add(const Buffer& b, const std::vector<Expr>& indices, int64_t elements) {
    if (b == buffer_) accesses.push_back({indices, bounds_, vars_, std::max<int64_t>(elements, 1) - 1});
  }
  Buffer buffer_;
  arith::Bounds bounds_;
  std::set<Var> vars_;
};

bool touches(const Stmt& s, const Buffer& b) {
  AccessCollector c(b);
  c.visit(s);
  return !c.accesses.empty();
}

// One dimension of all accesses: `base` (the same for all, over outer variables) + [lo, hi].
struct Span {
  arith::LinearForm base;
  int64_t lo = 0, hi = 0;
};

bool uses_any(const Expr& e, const std::set<Var>& vars) {
  for (const Var& v : free_vars(e)) {
    if (vars.count(v)) return true;
  }
  return false;
}

bool same_form(const arith::LinearForm& a, const arith::LinearForm& b) {
  arith::LinearForm difference = a;
  difference.add(b, -1);
  return difference.is_constant() && difference.constant == 0;
}

// The index of one access as outer base and inner range; nothing if the range is not a constant.
std::optional<Span> span_of(const Expr& index, const Access& a) {
  Span s;
  Expr scalar = index;
  int64_t lanes_lo = 0, lanes_hi = 0;
  if (const Ramp* r = as<Ramp>(index)) {
    const int64_t* stride = as_const_int(r->stride);
    if (!stride) return std::nullopt;
    const int64_t reach = *stride * (index.dtype().lanes - 1);
    lanes_lo = std::min<int64_t>(reach, 0);
    lanes_hi = std::max<int64_t>(reach, 0);
    scalar = r->base;
  } else if (index.dtype().lanes > 1) {
    return std::nullopt;
  }
  const arith::LinearForm form = arith::linear_form(scalar);
  arith::LinearForm inner;
  for (const auto& t : form.terms) (uses_any(t.atom, a.inner_vars) ? inner : s.base).add(t.atom, t.coefficient);
  inner.constant = form.constant;
  const arith::IntSet range = arith::bounds_of(inner.to_expr(), a.inner);
  if (range.min == arith::IntSet::kNegInf || range.max == arith::IntSet::kInf) return std::nullopt;
  for (const auto& t : inner.terms) {  // an inner atom that hides an outer variable is bounded as a whole: fine
    if (t.coefficient == 0) return std::nullopt;
  }
  s.lo = range.min + lanes_lo;
  s.hi = range.max + lanes_hi;
  return s;
}

std::vector<std::optional<Span>> spans_of(const Stmt& body, const Buffer& b) {
  AccessCollector c(b);
  c.visit(body);
  std::vector<std::optional<Span>> spans(b->shape.size());
  for (size_t d = 0; d < spans.size(); ++d) {
    bool first = true;
    for (const Access& a : c.accesses) {
      auto s = span_of(a.indices[d], a);
      if (s && d + 1 == spans.size()) s->hi += a.last_lane;
      if (!s || (!first && (!spans[d] || !same_form(s->base, spans[d]->base)))) {
        spans[d].reset();
        break;
      }
      if (first) {
        spans[d] = s;
      } else {
        spans[d]->lo = std::min(spans[d]->lo, s->lo);
        spans[d]->hi = std::max(spans[d]->hi, s->hi);
      }
      first = false;
    }
  }
  return spans;
}

// May the allocation move from around the loop into it?
bool may_enter(const For& loop, const Buffer& b) {
  if (loop.kind == ForKind::kThread) {
    return b->scope == Scope::kLocal || (b->scope == Scope::kShared && loop.thread.rfind("blockIdx", 0) == 0);
  }
  if (loop.kind == ForKind::kParallel) return true;
  if (loop.kind == ForKind::kVectorized) return false;
  for (const auto& s : spans_of(loop.body, b)) {
    if (!s) continue;
    const int64_t step = std::abs(s->base.coefficient(loop.var));
    if (step > 0 && s->hi - s->lo + 1 <= step && !s->base.hides(loop.var)) return true;
  }
  return false;
}

// Rebases the indices of one buffer.
class Rebaser : public Mutator {
 public:
  Rebaser(Buffer from, Buffer to, std::vector<Expr> offsets)
      : from_(std::move(from)), to_(std::move(to)), offsets_(std::move(offsets)) {}

  using Mutator::mutate;
  Expr mutate(const Expr& e) override {
    const Expr r = Mutator::mutate(e);
    if (const Load* l = as<Load>(r); l && l->buffer == from_) return load(to_, shift(l->indices), l->predicate);
    if (const LoadBits* l = as<LoadBits>(r); l && l->buffer == from_) {
      return load_bits(r.dtype(), to_, shift(l->indices));
    }
    return r;
  }
  Stmt mutate(const Stmt& s) override {
    const Stmt r = Mutator::mutate(s);
    if (const Store* st = as<Store>(r); st && st->buffer == from_) {
      return store(to_, shift(st->indices), st->value, st->predicate);
    }
    if (const Prefetch* p = as<Prefetch>(r); p && p->buffer == from_) {
      return prefetch(to_, shift(p->indices), p->locality);
    }
    return r;
  }

 private:
  std::vector<Expr> shift(const std::vector<Expr>& indices) const {
    std::vector<Expr> out;
    for (size_t d = 0; d < indices.size(); ++d) {
      const int lanes = indices[d].dtype().lanes;
      if (const Ramp* r = as<Ramp>(indices[d])) {
        out.push_back(ramp(arith::simplify(r->base - offsets_[d]), r->stride, lanes));
      } else {
        out.push_back(arith::simplify(indices[d] - broadcast(offsets_[d], lanes)));
      }
    }
    return out;
  }
  Buffer from_, to_;
  std::vector<Expr> offsets_;
};

Stmt shrink(const Buffer& b, const Stmt& body) {
  const auto spans = spans_of(body, b);
  std::vector<Expr> shape, offsets;
  bool changed = false;
  for (size_t d = 0; d < spans.size(); ++d) {
    shape.push_back(b->shape[d]);
    offsets.push_back(Expr(0));
    if (!spans[d]) continue;
    const int64_t extent = spans[d]->hi - spans[d]->lo + 1;
    const int64_t* old = as_const_int(b->shape[d]);
    if (old && *old <= extent) continue;
    arith::LinearForm offset = spans[d]->base;
    offset.constant += spans[d]->lo;
    shape[d] = Expr(extent);
    offsets[d] = offset.to_expr();
    changed = true;
  }
  if (!changed) return allocate(b, body);
  BufferNode node = *b;
  node.shape = shape;
  const Buffer smaller(std::make_shared<const BufferNode>(std::move(node)));
  return allocate(smaller, Rebaser(b, smaller, offsets).mutate(body));
}

// Puts the allocation of b around the smallest part of s that may own it.
Stmt sink(const Buffer& b, const Stmt& s) {
  if (const For* f = as<For>(s)) {
    const bool outside = touches(evaluate(f->min + f->extent), b);
    if (!outside && may_enter(*f, b)) {
      For inner = *f;
      inner.body = sink(b, f->body);
      return make_stmt(std::move(inner));
    }
  } else if (const Seq* q = as<Seq>(s)) {
    size_t users = 0, at = 0;
    for (size_t i = 0; i < q->stmts.size(); ++i) {
      if (!touches(q->stmts[i], b)) continue;
      ++users;
      at = i;
    }
    if (users == 1) {
      std::vector<Stmt> stmts = q->stmts;
      stmts[at] = sink(b, stmts[at]);
      return seq(std::move(stmts));
    }
  } else if (const Let* l = as<Let>(s)) {
    if (!touches(evaluate(l->value), b)) return let(l->var, l->value, sink(b, l->body));
  } else if (const If* i = as<If>(s)) {
    if (!i->else_case && !touches(evaluate(i->cond), b)) return if_(i->cond, sink(b, i->then_case));
  } else if (const Allocate* a = as<Allocate>(s)) {
    return allocate(a->buffer, sink(b, a->body));
  }
  return shrink(b, s);
}

class Compactor : public Mutator {
 public:
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const Stmt r = Mutator::mutate(s);
    const Allocate* a = as<Allocate>(r);
    if (!a) return r;
    if (!touches(a->body, a->buffer)) return a->body;
    return sink(a->buffer, a->body);
  }
};

}  // namespace

PrimFunc compact_buffers(const PrimFunc& f) {
  PrimFunc result = f;
  result.body = Compactor().mutate(f.body);
  return result;
}

}  // namespace mlc::lower
