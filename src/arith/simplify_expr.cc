#include <algorithm>
#include <cmath>

#include "arith/simplifier.h"
#include "ir/interp.h"

namespace mlc::arith {

using namespace ir;  // NOLINT: the folder is about ir

namespace {

bool is_sum_node(const Expr& e) {
  if (const Unary* u = as<Unary>(e)) return u->op == UnaryOp::kNeg;
  const Binary* b = as<Binary>(e);
  return b && (b->op == BinaryOp::kAdd || b->op == BinaryOp::kSub || b->op == BinaryOp::kMul);
}

const Expr* broadcast_of(const Expr& e) {
  const Broadcast* b = as<Broadcast>(e);
  return b ? &b->a : nullptr;
}

// Calls whose value is exact, so that folding them changes nothing.
bool exact_call(const std::string& name) {
  for (const char* n : {"abs", "floor", "ceil", "round", "sqrt", "fma", "popcount"}) {
    if (name == n) return true;
  }
  return false;
}

// A node that constants fold through, with constant operands only.
bool foldable(const Expr& e) {
  auto all = [](const std::vector<Expr>& es) { return std::all_of(es.begin(), es.end(), is_constant_expr); };
  if (const Unary* x = as<Unary>(e)) return is_constant_expr(x->a);
  if (const Binary* x = as<Binary>(e)) return is_constant_expr(x->a) && is_constant_expr(x->b);
  if (const Cast* x = as<Cast>(e)) return is_constant_expr(x->a);
  if (const Reinterpret* x = as<Reinterpret>(e)) return is_constant_expr(x->a);
  if (const Shuffle* x = as<Shuffle>(e)) return all(x->vectors);
  if (const VectorReduce* x = as<VectorReduce>(e)) return is_constant_expr(x->a);
  if (const Call* x = as<Call>(e)) return exact_call(x->intrinsic) && all(x->args);
  return false;
}

bool is_nan(const Expr& e) {
  const Expr* inner = broadcast_of(e);
  const FloatImm* f = as<FloatImm>(inner ? *inner : e);
  return f && std::isnan(f->value);
}

bool is_float_const(const Expr& e, double value) {
  const Expr* inner = broadcast_of(e);
  const FloatImm* f = as<FloatImm>(inner ? *inner : e);
  return f && f->value == value && std::signbit(f->value) == std::signbit(value);
}

// The constant of a bool, or -1.
int bool_value(const Expr& e) {
  const Expr* inner = broadcast_of(e);
  const int64_t* v = as_const_int(inner ? *inner : e);
  return v ? static_cast<int>(*v) : -1;
}

}  // namespace

bool is_constant_expr(const Expr& e) {
  const Expr* inner = broadcast_of(e);
  const Expr& s = inner ? *inner : e;
  return as<IntImm>(s) || as<FloatImm>(s);
}

std::vector<Expr> factors_of(const Expr& e) {
  const Binary* b = as<Binary>(e);
  if (!b || b->op != BinaryOp::kMul) return {e};
  std::vector<Expr> out = factors_of(b->a);
  for (Expr& f : factors_of(b->b)) out.push_back(std::move(f));
  return out;
}

Expr product_of(std::vector<Expr> factors, DType dtype) {
  if (factors.empty()) return imm(dtype, 1);
  const bool variables = std::all_of(factors.begin(), factors.end(), [](const Expr& f) { return as<VarRef>(f); });
  if (variables) {
    std::stable_sort(factors.begin(), factors.end(), [](const Expr& a, const Expr& b) {
      return as<VarRef>(a)->var.name() < as<VarRef>(b)->var.name();
    });
  }
  Expr out = factors[0];
  for (size_t i = 1; i < factors.size(); ++i) out = out * factors[i];
  return out;
}

Expr Simplifier::mutate(const Expr& e) {
  if (!e) return e;
  const DType t = e.dtype();
  if (t.is_any_int() && t.lanes == 1 && is_sum_node(e)) return sum(e);
  return rule(Mutator::mutate(e));
}

Expr Simplifier::to_fixpoint(Expr e) {
  for (int i = 0; i < 8; ++i) {
    Expr next = mutate(e);
    if (equal(next, e)) return e;
    e = std::move(next);
  }
  return e;
}

// ---- Sums

Expr Simplifier::sum(const Expr& e) {
  LinearForm f;
  f.dtype = e.dtype();
  collect(e, 1, f);
  merge_div_mod(f);
  return f.to_expr();
}

void Simplifier::add_simplified(const Expr& e, int64_t factor, LinearForm& out) {
  LinearForm f = linear_form(e);
  out.add(f, factor);
}

void Simplifier::collect(const Expr& e, int64_t factor, LinearForm& out) {
  auto times = [](int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  };
  if (const Unary* u = as<Unary>(e); u && u->op == UnaryOp::kNeg) return collect(u->a, times(factor, -1), out);
  const Binary* b = as<Binary>(e);
  if (b && (b->op == BinaryOp::kAdd || b->op == BinaryOp::kSub)) {
    collect(b->a, factor, out);
    collect(b->b, b->op == BinaryOp::kAdd ? factor : times(factor, -1), out);
    return;
  }
  if (b && b->op == BinaryOp::kMul) {
    if (const int64_t* c = as_const_int(b->b)) return collect(b->a, times(factor, *c), out);
    if (const int64_t* c = as_const_int(b->a)) return collect(b->b, times(factor, *c), out);
    LinearForm x, y;
    x.dtype = y.dtype = out.dtype;
    collect(b->a, 1, x);
    collect(b->b, 1, y);
    collect_product(x, y, factor, out);
    return;
  }
  add_simplified(is_sum_node(e) || as<IntImm>(e) ? e : mutate(e), factor, out);
}

// Products of sums are multiplied out in index arithmetic, where it lets terms cancel.
void Simplifier::collect_product(const LinearForm& a, const LinearForm& b, int64_t factor, LinearForm& out) {
  auto times = [](int64_t x, int64_t y) {
    return static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
  };
  if (a.is_constant()) return out.add(b, times(factor, a.constant));
  if (b.is_constant()) return out.add(a, times(factor, b.constant));
  auto multiply = [&](const Expr& x, const Expr& y, int64_t c) {
    std::vector<Expr> f = factors_of(x);
    for (Expr& g : factors_of(y)) f.push_back(std::move(g));
    out.add(product_of(std::move(f), out.dtype), c);
  };
  const bool single = a.terms.size() == 1 && a.constant == 0 && b.terms.size() == 1 && b.constant == 0;
  const bool expand = out.dtype == DType::i64() && (a.terms.size() + 1) * (b.terms.size() + 1) <= 12;
  if (!single && !expand) {
    out.add(a.to_expr() * b.to_expr(), factor);
    return;
  }
  for (const LinearForm::Term& x : a.terms) {
    for (const LinearForm::Term& y : b.terms) {
      multiply(x.atom, y.atom, times(factor, times(x.coefficient, y.coefficient)));
    }
    out.add(x.atom, times(factor, times(x.coefficient, b.constant)));
  }
  for (const LinearForm::Term& y : b.terms) out.add(y.atom, times(factor, times(y.coefficient, a.constant)));
  out.constant =
      wrap_int(out.dtype, static_cast<int64_t>(static_cast<uint64_t>(out.constant) +
                                               static_cast<uint64_t>(times(factor, times(a.constant, b.constant)))));
}

// k * (x % d) + k * d * (x // d) = k * x, and k * x - k * d * (x // d) = k * (x % d). True modulo 2^bits as well.
void Simplifier::merge_div_mod(LinearForm& f) {
  auto find_mod = [&](const Binary& div) -> const LinearForm::Term* {
    for (const LinearForm::Term& t : f.terms) {
      const Binary* m = as<Binary>(t.atom);
      if (m && m->op == BinaryOp::kFloorMod && equal(m->a, div.a) && equal(m->b, div.b)) return &t;
    }
    return nullptr;
  };
  auto contains = [&](const LinearForm& x, int64_t k) {
    return !x.terms.empty() && std::all_of(x.terms.begin(), x.terms.end(), [&](const LinearForm::Term& want) {
      return std::any_of(f.terms.begin(), f.terms.end(), [&](const LinearForm::Term& have) {
        return equal(have.atom, want.atom) &&
               have.coefficient ==
                   static_cast<int64_t>(static_cast<uint64_t>(want.coefficient) * static_cast<uint64_t>(k));
      });
    });
  };
  for (size_t i = 0; i < f.terms.size(); ++i) {
    const LinearForm::Term t = f.terms[i];
    const Binary* div = as<Binary>(t.atom);
    if (!div || div->op != BinaryOp::kFloorDiv) continue;
    const int64_t* d = as_const_int(div->b);
    if (!d || *d <= 0 || *d > INT32_MAX || std::abs(t.coefficient) > (int64_t{1} << 31) || t.coefficient % *d != 0)
      continue;
    const int64_t k = t.coefficient / *d;
    if (!is_small(f) || !is_small(linear_form(div->a))) continue;
    if (const LinearForm::Term* mod = find_mod(*div); mod && mod->coefficient == k) {
      const Expr mod_atom = mod->atom;
      f.add(mod_atom, -k);
      f.add(t.atom, -t.coefficient);
      f.add(linear_form(div->a), k);
      i = static_cast<size_t>(-1);
      continue;
    }
    LinearForm x = linear_form(div->a);
    if (contains(x, -k)) {
      f.add(x, k);
      f.add(t.atom, -t.coefficient);
      add_simplified(rule(floormod(div->a, div->b)), -k, f);
      i = static_cast<size_t>(-1);
    }
  }
}

// ---- Rules on one node whose operands are simplified

Expr Simplifier::rule(const Expr& e) {
  if (foldable(e)) {
    Expr folded = evaluate_constant(e);
    if (folded && !is_nan(folded)) return folded;
  }
  if (const Unary* x = as<Unary>(e)) return unary_rule(e, *x);
  if (const Binary* x = as<Binary>(e)) return binary_rule(e, *x);
  if (const Select* x = as<Select>(e)) return select_rule(e, *x);
  if (const Cast* x = as<Cast>(e)) return cast_rule(e, *x);
  if (const VarRef* x = as<VarRef>(e)) {
    const IntSet s = bounds_of(e, bounds_);
    if (e.dtype() == DType::i64() && s.is_point()) return i64(s.min);
    (void)x;
  }
  if (const Load* x = as<Load>(e); x && x->predicate) {
    const int p = bool_value(x->predicate);
    if (p == 1) return load(x->buffer, x->indices);
    if (p == 0) return zero(e.dtype());
  }
  if (const Reinterpret* x = as<Reinterpret>(e)) {
    if (const Reinterpret* inner = as<Reinterpret>(x->a); inner && !x->a.dtype().is_bool()) {
      return rule(reinterpret(e.dtype(), inner->a));
    }
  }
  return e;
}

Expr Simplifier::unary_rule(const Expr& e, const Unary& x) {
  if (const Unary* inner = as<Unary>(x.a); inner && inner->op == x.op) return inner->a;
  if (const Expr* a = broadcast_of(x.a)) return broadcast(rule(unary(x.op, *a)), e.dtype().lanes);
  const Binary* b = as<Binary>(x.a);
  if (x.op != UnaryOp::kNot || !b || !e.dtype().is_bool()) return e;
  const bool ordered = !b->a.dtype().is_float();  // no NaN
  switch (b->op) {
    case BinaryOp::kEq:
      return rule(ne(b->a, b->b));
    case BinaryOp::kNe:
      return rule(eq(b->a, b->b));
    case BinaryOp::kLt:
      return ordered ? rule(b->b <= b->a) : e;
    case BinaryOp::kLe:
      return ordered ? rule(b->b < b->a) : e;
    default:
      return e;
  }
}

Expr Simplifier::binary_rule(const Expr& e, const Binary& x) {
  const DType t = x.a.dtype();
  if (t.lanes > 1) {
    if (Expr v = vector_rule(e, x)) return v;
  }
  if (x.op >= BinaryOp::kEq) return compare_rule(e, x);
  if (t.is_float()) return float_rule(e, x);
  switch (x.op) {
    case BinaryOp::kFloorDiv:
    case BinaryOp::kFloorMod:
      return t.lanes > 1 ? ramp_div_mod(e, x) : div_mod_rule(e, x);
    case BinaryOp::kMin:
    case BinaryOp::kMax:
      return min_max_rule(e, x);
    case BinaryOp::kAnd:
    case BinaryOp::kOr:
    case BinaryOp::kXor:
      return logic_rule(e, x);
    case BinaryOp::kShl:
    case BinaryOp::kShr:
      return is_constant_expr(x.b) && bounds_of(x.b).is_point() && bounds_of(x.b).min == 0 ? x.a : e;
    default:
      return e;
  }
}

// Broadcasts move outwards, ramps absorb what is the same for all lanes. Null: no rule.
Expr Simplifier::vector_rule(const Expr& e, const Binary& x) {
  const int lanes = x.a.dtype().lanes;
  const Expr *a = broadcast_of(x.a), *b = broadcast_of(x.b);
  if (a && b) return broadcast(mutate(binary(x.op, *a, *b)), lanes);
  const Ramp *ra = as<Ramp>(x.a), *rb = as<Ramp>(x.b);
  auto make = [&](const Expr& base, const Expr& stride) {
    Expr st = mutate(stride);
    return is_const(st, 0) ? broadcast(mutate(base), lanes) : ramp(mutate(base), st, lanes);
  };
  if (x.op == BinaryOp::kAdd || x.op == BinaryOp::kSub) {
    if (ra && b) return make(binary(x.op, ra->base, *b), ra->stride);
    if (a && rb) return make(binary(x.op, *a, rb->base), x.op == BinaryOp::kAdd ? rb->stride : -rb->stride);
    if (ra && rb) return make(binary(x.op, ra->base, rb->base), binary(x.op, ra->stride, rb->stride));
  }
  if (x.op == BinaryOp::kMul) {
    if (ra && b) return make(ra->base * *b, ra->stride * *b);
    if (a && rb) return make(rb->base * *a, rb->stride * *a);
  }
  (void)e;
  return {};
}

Expr Simplifier::logic_rule(const Expr& e, const Binary& x) {
  if (equal(x.a, x.b)) return x.op == BinaryOp::kXor ? zero(e.dtype()) : x.a;
  if (e.dtype().is_bool()) {
    const int a = bool_value(x.a), b = bool_value(x.b);
    const Expr& other = a >= 0 ? x.b : x.a;
    const int c = a >= 0 ? a : b;
    if (c < 0) return e;
    if (x.op == BinaryOp::kAnd) return c ? other : imm(e.dtype(), 0);
    if (x.op == BinaryOp::kOr) return c ? imm(e.dtype(), 1) : other;
    return c ? rule(unary(UnaryOp::kNot, other)) : other;
  }
  // x & 0, x | 0, x ^ 0, x & ones
  for (const auto& [c, other] : {std::pair(x.a, x.b), std::pair(x.b, x.a)}) {
    if (!is_constant_expr(c)) continue;
    const Expr* inner = broadcast_of(c);
    const int64_t v = *as_const_int(inner ? *inner : c);
    if (v == 0) return x.op == BinaryOp::kAnd ? c : other;
    if (x.op == BinaryOp::kAnd && v == wrap_int(e.dtype(), -1)) return other;
    // A mask of low bits that the value already respects.
    const IntSet s = bounds_of(other, bounds_);
    if (x.op == BinaryOp::kAnd && v > 0 && v < INT64_MAX && (v & (v + 1)) == 0 && s.within(0, v)) return other;
  }
  return e;
}

Expr Simplifier::float_rule(const Expr& e, const Binary& x) {
  switch (x.op) {
    case BinaryOp::kMul:
      if (is_float_const(x.b, 1)) return x.a;
      return is_float_const(x.a, 1) ? x.b : e;
    case BinaryOp::kDiv:
      return is_float_const(x.b, 1) ? x.a : e;
    case BinaryOp::kAdd:
      if (is_float_const(x.b, -0.0)) return x.a;
      return is_float_const(x.a, -0.0) ? x.b : e;
    case BinaryOp::kSub:
      return is_float_const(x.b, 0.0) ? x.a : e;
    case BinaryOp::kMin:
    case BinaryOp::kMax:
      return equal(x.a, x.b) ? x.a : e;
    default:
      return e;
  }
}

Expr Simplifier::select_rule(const Expr& e, const Select& x) {
  const int c = bool_value(x.cond);
  if (c >= 0) return c ? x.if_true : x.if_false;
  if (equal(x.if_true, x.if_false)) return x.if_true;
  if (const Unary* n = as<Unary>(x.cond); n && n->op == UnaryOp::kNot) {
    return rule(select(n->a, x.if_false, x.if_true));
  }
  if (e.dtype() == DType::boolean() && bool_value(x.if_true) == 1 && bool_value(x.if_false) == 0) return x.cond;
  return e;
}

Expr Simplifier::cast_rule(const Expr& e, const Cast& x) {
  const DType to = e.dtype(), from = x.a.dtype();
  if (from == to) return x.a;
  if (const Expr* a = broadcast_of(x.a)) return broadcast(rule(cast(to.scalar(), *a)), to.lanes);
  const Cast* inner = as<Cast>(x.a);
  if (!inner) return e;
  const DType first = inner->a.dtype();
  if (first.is_float() || from.is_float() || from.is_bool() || first.is_bool()) return e;
  // The middle type loses nothing: it holds every value. Or the last one is no wider, and both only drop bits.
  const IntSet s = bounds_of(inner->a, bounds_), middle = IntSet::all(from);
  const bool keeps = first.bits < 64 || s.max != IntSet::kInf ? s.min >= middle.min && s.max <= middle.max : false;
  const bool only_drops = to.is_any_int() && to.bits <= from.bits;
  return keeps || only_drops ? rule(cast(to, inner->a)) : e;
}

}  // namespace mlc::arith
