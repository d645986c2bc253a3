// floordiv and floormod. The rules that split sums need that sums do not wrap: they apply to index arithmetic only.
#include <algorithm>
#include <numeric>

#include "arith/simplifier.h"

namespace mlc::arith {

using namespace ir;  // NOLINT: the folder is about ir

namespace {

int64_t floor_quotient(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-(a + 1)) / b) - 1; }

// f = high * d + low, by terms: those whose coefficient d divides go to high, the constant is split.
std::pair<LinearForm, LinearForm> split(const LinearForm& f, int64_t d) {
  LinearForm high, low;
  for (const LinearForm::Term& t : f.terms) {
    if (t.coefficient % d == 0) {
      high.terms.push_back({t.atom, t.coefficient / d});
    } else {
      low.terms.push_back(t);
    }
  }
  high.constant = floor_quotient(f.constant, d);
  low.constant = f.constant - high.constant * d;
  return {high, low};
}

bool is_zero(const LinearForm& f) { return f.terms.empty() && f.constant == 0; }

}  // namespace

// The quotient when it is the same for every value.
std::optional<int64_t> Simplifier::constant_quotient(const LinearForm& f, int64_t d) {
  const IntSet s = bounds_of_form(f);
  if (s.min == IntSet::kNegInf || s.max == IntSet::kInf) return std::nullopt;
  const int64_t lo = floor_quotient(s.min, d), hi = floor_quotient(s.max, d);
  return lo == hi ? std::optional(lo) : std::nullopt;
}

std::optional<Simplifier::Grouped> Simplifier::group(const LinearForm& f, int64_t d) {
  std::vector<int64_t> candidates;
  for (const LinearForm::Term& t : f.terms) {
    const int64_t g = std::gcd(t.coefficient, d);
    if (g > 1 && g < d) candidates.push_back(g);
  }
  std::sort(candidates.rbegin(), candidates.rend());
  for (int64_t g : candidates) {
    auto [high, low] = split(f, g);
    if (bounds_of_form(low).within(0, g - 1)) return Grouped{high, low, g};
  }
  return std::nullopt;
}

Expr Simplifier::div_by_constant(const Expr& x, int64_t d) {
  const Binary* b = as<Binary>(x);
  const int64_t* c = b ? as_const_int(b->b) : nullptr;
  if (c && *c > 0 && b->op == BinaryOp::kFloorDiv && *c <= (int64_t{1} << 31) && d <= (int64_t{1} << 31)) {
    return div_by_constant(b->a, *c * d);
  }
  if (c && *c > 0 && b->op == BinaryOp::kFloorMod && *c % d == 0) {
    return mod_by_constant(div_by_constant(b->a, d), *c / d);
  }
  if (d == 1) return x;
  const LinearForm f = linear_form(x);
  if (!is_small(f)) return floordiv(x, Expr(d));
  auto [high, low] = split(f, d);
  if (!is_zero(high)) {
    if (is_zero(low)) return sum(high.to_expr() + Expr(0));
    return sum(high.to_expr() + div_by_constant(low.to_expr(), d));
  }
  if (auto q = constant_quotient(low, d)) return Expr(*q);
  if (auto g = group(low, d)) return div_by_constant(sum(g->high.to_expr() + Expr(0)), d / g->g);
  return floordiv(low.to_expr(), Expr(d));
}

Expr Simplifier::mod_by_constant(const Expr& x, int64_t d) {
  if (d == 1) return Expr(0);
  const Binary* b = as<Binary>(x);
  const int64_t* c = b ? as_const_int(b->b) : nullptr;
  if (c && *c > 0 && b->op == BinaryOp::kFloorMod && *c % d == 0) return mod_by_constant(b->a, d);
  const LinearForm f = linear_form(x);
  if (!is_small(f)) return floormod(x, Expr(d));
  auto [high, low] = split(f, d);
  if (!is_zero(high)) return mod_by_constant(low.to_expr(), d);
  if (auto q = constant_quotient(low, d)) return sum(low.to_expr() - Expr(*q * d));
  if (auto g = group(low, d)) {
    return sum(mod_by_constant(sum(g->high.to_expr() + Expr(0)), d / g->g) * Expr(g->g) + g->low.to_expr());
  }
  return floormod(low.to_expr(), Expr(d));
}

// x = q * d + r where the terms of q * d are those that contain the factors of d.
Expr Simplifier::div_mod_symbolic(const Expr& e, const Binary& x) {
  const bool want_div = x.op == BinaryOp::kFloorDiv;
  if (bounds_of(x.b, bounds_).min < 1) return e;
  const LinearForm divisor = linear_form(x.b);
  if (!is_small(divisor) || !is_small(linear_form(x.a))) return e;
  if (divisor.terms.size() == 1 && divisor.constant == 0) {
    const std::vector<Expr> wanted = factors_of(divisor.terms[0].atom);
    LinearForm q, r;
    const LinearForm f = linear_form(x.a);
    r.constant = f.constant;
    for (const LinearForm::Term& t : f.terms) {
      std::vector<Expr> have = factors_of(t.atom);
      bool divides = t.coefficient % divisor.terms[0].coefficient == 0;
      for (const Expr& w : wanted) {
        auto it = std::find_if(have.begin(), have.end(), [&](const Expr& h) { return equal(h, w); });
        divides = divides && it != have.end();
        if (divides) have.erase(it);
      }
      if (!divides) {
        r.terms.push_back(t);
      } else if (have.empty()) {
        q.constant += t.coefficient / divisor.terms[0].coefficient;
      } else {
        q.add(product_of(have, DType::i64()), t.coefficient / divisor.terms[0].coefficient);
      }
    }
    if (!is_zero(q)) {
      Expr rest = mutate(binary(x.op, r.to_expr(), x.b));
      return want_div ? sum(q.to_expr() + rest) : rest;
    }
  }
  LinearForm top = divisor;
  const LinearForm f = linear_form(x.a);
  top.add(f, -1);
  top.constant -= 1;
  if (prove_nonnegative(f) && prove_nonnegative(top)) return want_div ? Expr(0) : x.a;
  return e;
}

Expr Simplifier::div_mod_rule(const Expr& e, const Binary& x) {
  const bool want_div = x.op == BinaryOp::kFloorDiv;
  const int64_t* d = as_const_int(x.b);
  const DType t = e.dtype();
  if (d && is_index_math(x.a)) {
    if (*d > 0) return want_div ? div_by_constant(x.a, *d) : mod_by_constant(x.a, *d);
    return e;
  }
  if (!d && is_index_math(x.a) && is_index_math(x.b)) return div_mod_symbolic(e, x);
  if (!d || (t.is_uint() && t.bits == 64 && *d < 0)) return e;
  if (*d == 1) return want_div ? x.a : zero(t);
  const IntSet s = bounds_of(x.a, bounds_);
  if (*d > 0 && s.min >= 0 && s.max < *d) return want_div ? zero(t) : x.a;
  return e;
}

// A ramp divided by a constant: either no lane crosses a multiple of it, or every step is a multiple.
Expr Simplifier::ramp_div_mod(const Expr& e, const Binary& x) {
  const Ramp* r = as<Ramp>(x.a);
  const Broadcast* by = as<Broadcast>(x.b);
  const int64_t* d = by ? as_const_int(by->a) : nullptr;
  const int64_t* stride = r ? as_const_int(r->stride) : nullptr;
  if (!d || !stride || *d <= 0 || !is_index_math(x.a)) return e;
  const bool want_div = x.op == BinaryOp::kFloorDiv;
  const int lanes = e.dtype().lanes;
  if (*stride % *d == 0) {
    if (!want_div) return broadcast(mod_by_constant(r->base, *d), lanes);
    return ramp(div_by_constant(r->base, *d), Expr(*stride / *d), lanes);
  }
  const Expr low = mod_by_constant(r->base, *d);
  const IntSet s = bounds_of(low, bounds_);
  if (s.max == IntSet::kInf || !is_small(linear_form(r->stride)) || std::abs(*stride) > (int64_t{1} << 31)) return e;
  const int64_t reach = *stride * (lanes - 1);
  if (s.min + std::min<int64_t>(reach, 0) < 0 || s.max + std::max<int64_t>(reach, 0) >= *d) return e;
  return want_div ? broadcast(div_by_constant(r->base, *d), lanes) : ramp(low, r->stride, lanes);
}

}  // namespace mlc::arith
