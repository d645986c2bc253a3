// Comparisons, min, max, and the proofs behind them: is a linear form >= 0 for all values in bounds?
#include <algorithm>
#include <numeric>

#include "arith/simplifier.h"

namespace mlc::arith {

using namespace ir;  // NOLINT: the folder is about ir

namespace {

constexpr int64_t kSmall = int64_t{1} << 40;  // coefficients up to here may be scaled without overflow

LinearForm scaled(const LinearForm& f, int64_t k) {
  LinearForm out;
  out.dtype = f.dtype;
  out.add(f, k);
  return out;
}

bool scalable(const LinearForm& f, int64_t times) {
  if (times > (int64_t{1} << 20) || std::abs(f.constant) > kSmall) return false;
  return std::all_of(f.terms.begin(), f.terms.end(),
                     [](const LinearForm::Term& t) { return std::abs(t.coefficient) <= kSmall; });
}

// a - b
LinearForm difference(const Expr& a, const Expr& b) {
  LinearForm f = linear_form(a);
  f.add(linear_form(b), -1);
  return f;
}

}  // namespace

bool is_small(const LinearForm& f) {
  constexpr int64_t kLimit = int64_t{1} << 50;
  auto fits = [](int64_t v) { return v > -kLimit && v < kLimit; };
  return fits(f.constant) &&
         std::all_of(f.terms.begin(), f.terms.end(), [&](const LinearForm::Term& t) { return fits(t.coefficient); });
}

IntSet Simplifier::bounds_of_form(const LinearForm& f) const { return bounds_of(f.to_expr(), bounds_); }

// ---- Proofs

bool Simplifier::prove_nonnegative(const LinearForm& f) {
  int budget = 200;
  return nonnegative(f, budget);
}

bool Simplifier::nonnegative(const LinearForm& f, int& budget) {
  if (--budget < 0 || !is_small(f)) return false;
  if (bounds_of_form(f).min >= 0) return true;
  for (const Expr& fact : bounds_.facts()) {
    LinearForm rest = f;
    rest.add(linear_form(fact), -1);
    if (bounds_of_form(rest).min >= 0) return true;
  }
  return nonnegative_by_atoms(f, budget) || nonnegative_by_loops(f, budget);
}

// Replaces an atom by something that bounds it from the right side, and goes on.
bool Simplifier::nonnegative_by_atoms(const LinearForm& f, int& budget) {
  for (const LinearForm::Term& t : f.terms) {
    const Binary* b = as<Binary>(t.atom);
    if (!b) continue;
    LinearForm rest = f;
    rest.add(t.atom, -t.coefficient);
    const bool low_min = b->op == BinaryOp::kMin && t.coefficient < 0;  // min(a, b) <= a and <= b
    const bool high_max = b->op == BinaryOp::kMax && t.coefficient > 0;
    if (low_min || high_max) {
      for (const Expr& side : {b->a, b->b}) {
        LinearForm g = rest;
        g.add(linear_form(side), t.coefficient);
        if (nonnegative(g, budget)) return true;
      }
      return false;
    }
    const bool both = (b->op == BinaryOp::kMin && t.coefficient > 0) || (b->op == BinaryOp::kMax && t.coefficient < 0);
    if (both) {
      for (const Expr& side : {b->a, b->b}) {
        LinearForm g = rest;
        g.add(linear_form(side), t.coefficient);
        if (!nonnegative(g, budget)) return false;
      }
      return true;
    }
    const int64_t* d = as_const_int(b->b);
    if (b->op != BinaryOp::kFloorDiv || !d || *d <= 0 || !scalable(f, *d)) continue;
    // d * (x // d) lies in [x - d + 1, x].
    LinearForm g = scaled(rest, *d);
    g.add(linear_form(b->a), t.coefficient);
    if (t.coefficient > 0) g.constant -= t.coefficient * (*d - 1);
    if (nonnegative(g, budget)) return true;
  }
  return false;
}

// Puts the loop's variable at the end of its range that makes f smallest; nothing if f is not monotonic in it for sure.
std::optional<LinearForm> Simplifier::eliminate(const LinearForm& f, const Bounds::Symbolic& loop) {
  LinearForm rest;
  std::vector<std::pair<std::vector<Expr>, int64_t>> uses;  // other factors, coefficient
  for (const LinearForm::Term& t : f.terms) {
    if (!uses_var(t.atom, loop.var)) {
      rest.terms.push_back(t);
      continue;
    }
    std::vector<Expr> factors = factors_of(t.atom);
    auto it = std::find_if(factors.begin(), factors.end(), [&](const Expr& x) {
      const VarRef* v = as<VarRef>(x);
      return v && v->var == loop.var;
    });
    if (it == factors.end()) return std::nullopt;
    factors.erase(it);
    for (const Expr& x : factors) {
      if (uses_var(x, loop.var) || bounds_of(x, bounds_).min < 0) return std::nullopt;
    }
    uses.emplace_back(std::move(factors), t.coefficient);
  }
  if (uses.empty()) return std::nullopt;
  const bool positive = uses[0].second > 0;
  for (const auto& [factors, c] : uses) {
    if ((c > 0) != positive) return std::nullopt;
  }
  rest.constant = f.constant;
  const Expr end = positive ? loop.min : loop.min + loop.extent - Expr(1);
  for (const auto& [factors, c] : uses) {
    collect(factors.empty() ? end : product_of(factors, DType::i64()) * end, c, rest);
  }
  return rest;
}

bool Simplifier::nonnegative_by_loops(const LinearForm& f, int& budget) {
  const auto& loops = bounds_.loops();
  for (size_t i = loops.size(); i-- > 0;) {
    const Bounds::Symbolic loop = loops[i];
    if (std::optional<LinearForm> g = eliminate(f, loop)) return nonnegative(*g, budget);
  }
  return false;
}

bool Simplifier::prove(const Expr& cond) {
  MLC_CHECK(cond.dtype() == DType::boolean(), "proof of {}", cond.dtype().str());
  const Expr s = to_fixpoint(cond);
  if (is_const(s, 1)) return true;
  const Binary* b = as<Binary>(s);
  if (!b) return false;
  if (b->op == BinaryOp::kAnd) return prove(b->a) && prove(b->b);
  if (b->op == BinaryOp::kOr) return prove(b->a) || prove(b->b);
  return false;
}

// ---- Rules

// A comparison of ramps and broadcasts is monotonic in the lane: the first and the last decide.
std::optional<bool> Simplifier::decide_lanes(const Binary& x) {
  if (x.op != BinaryOp::kLt && x.op != BinaryOp::kLe) return std::nullopt;
  if (!is_index_math(x.a) || !is_index_math(x.b)) return std::nullopt;
  const int lanes = x.a.dtype().lanes;
  auto at = [&](const Expr& e, int lane) -> Expr {
    if (const Broadcast* b = as<Broadcast>(e)) return b->a;
    if (const Ramp* r = as<Ramp>(e)) return r->base + r->stride * Expr(lane);
    return {};
  };
  bool all_true = true, all_false = true;
  for (int lane : {0, lanes - 1}) {
    Expr a = at(x.a, lane), b = at(x.b, lane);
    if (!a || !b) return std::nullopt;
    const Expr c = mutate(binary(x.op, a, b));
    all_true = all_true && is_const(c, 1);
    all_false = all_false && is_const(c, 0);
  }
  if (all_true) return true;
  return all_false ? std::optional(false) : std::nullopt;
}

Expr Simplifier::compare_rule(const Expr& e, const Binary& x) {
  const DType t = x.a.dtype();
  if (x.op == BinaryOp::kGt) return compare_rule(x.b < x.a, *as<Binary>(x.b < x.a));
  if (x.op == BinaryOp::kGe) {
    const Expr swapped = x.b <= x.a;
    return compare_rule(swapped, *as<Binary>(swapped));
  }
  if (t.is_float()) return e;
  const IntSet s = bounds_of(e, bounds_);
  if (s.is_point()) return imm(e.dtype(), s.min);
  if (equal(x.a, x.b)) return imm(e.dtype(), x.op == BinaryOp::kEq || x.op == BinaryOp::kLe);
  if (t.is_bool() && t.lanes == 1 && x.op == BinaryOp::kEq) {
    if (const int64_t* c = as_const_int(x.b)) return *c ? x.a : rule(logical_not(x.a));
    if (const int64_t* c = as_const_int(x.a)) return *c ? x.b : rule(logical_not(x.b));
  }
  if (t.lanes > 1) {
    if (const auto known = decide_lanes(x)) return imm(e.dtype(), *known);
    return e;
  }
  if (is_index_math(x.a) && is_index_math(x.b)) return compare_index(e, x.op, x.a, x.b);
  return e;
}

Expr Simplifier::compare_index(const Expr& e, BinaryOp op, const Expr& a, const Expr& b) {
  LinearForm d = difference(b, a);  // op says: d > 0, d >= 0, d == 0 or d != 0
  merge_div_mod(d);
  if (!is_small(d)) return e;
  const LinearForm minus = scaled(d, -1);
  LinearForm below = d, above = minus;  // d - 1, -d - 1
  below.constant -= 1;
  above.constant -= 1;
  auto truth = [](bool v) { return imm(DType::boolean(), v); };
  const IntSet s = bounds_of_form(d);
  if (op == BinaryOp::kEq || op == BinaryOp::kNe) {
    if (d.is_constant()) return truth((d.constant == 0) == (op == BinaryOp::kEq));
    if (prove_nonnegative(below) || prove_nonnegative(above)) return truth(op == BinaryOp::kNe);
    if (prove_nonnegative(d) && prove_nonnegative(minus)) return truth(op == BinaryOp::kEq);
    return e;
  }
  if (op == BinaryOp::kLt) {
    if (s.min > 0 || prove_nonnegative(below)) return truth(true);
    if (s.max <= 0 || prove_nonnegative(minus)) return truth(false);
  } else {
    if (s.min >= 0 || prove_nonnegative(d)) return truth(true);
    if (s.max < 0 || prove_nonnegative(above)) return truth(false);
  }
  // Smaller: common terms leave, then a common factor g of most terms with a rest in [0, g).
  const size_t before = linear_form(a).terms.size() + linear_form(b).terms.size();
  const bool two_constants = linear_form(a).constant != 0 && linear_form(b).constant != 0;
  bool changed = d.terms.size() < before || two_constants;
  if (op == BinaryOp::kLe) d.constant += 1;  // d + 1 > 0
  // -d < 0: write -d = g * high + low, 0 <= low < g; then -d < 0 exactly when high < 0.
  LinearForm neg = scaled(d, -1);
  std::vector<int64_t> candidates;
  for (const LinearForm::Term& t : neg.terms) {
    if (std::abs(t.coefficient) > 1) candidates.push_back(std::abs(t.coefficient));
  }
  std::sort(candidates.rbegin(), candidates.rend());
  for (int64_t g : candidates) {
    LinearForm high, low;
    for (const LinearForm::Term& t : neg.terms) {
      if (t.coefficient % g == 0) {
        high.terms.push_back({t.atom, t.coefficient / g});
      } else {
        low.terms.push_back(t);
      }
    }
    low.constant = ((neg.constant % g) + g) % g;
    high.constant = (neg.constant - low.constant) / g;
    if (!bounds_of_form(low).within(0, g - 1)) continue;
    neg = high;
    changed = true;
    break;
  }
  if (!changed) return e;
  // neg < 0: what is added stays left, what is subtracted goes right.
  LinearForm left, right;
  for (const LinearForm::Term& t : neg.terms) {
    if (t.coefficient > 0) {
      left.terms.push_back(t);
    } else {
      right.terms.push_back({t.atom, -t.coefficient});
    }
  }
  if (left.terms.empty()) {
    left.constant = neg.constant;
  } else {
    right.constant = -neg.constant;
  }
  if (op == BinaryOp::kLe) {
    // Back to <=: left < right is left <= right - 1.
    if (left.terms.empty()) {
      left.constant += 1;
    } else {
      right.constant -= 1;
    }
    return left.to_expr() <= right.to_expr();
  }
  return left.to_expr() < right.to_expr();
}

Expr Simplifier::min_max_rule(const Expr& e, const Binary& x) {
  const bool want_min = x.op == BinaryOp::kMin;
  if (equal(x.a, x.b)) return x.a;
  const IntSet a = bounds_of(x.a, bounds_), b = bounds_of(x.b, bounds_);
  if (a.max != IntSet::kInf && b.min != IntSet::kNegInf && a.max <= b.min) return want_min ? x.a : x.b;
  if (b.max != IntSet::kInf && a.min != IntSet::kNegInf && b.max <= a.min) return want_min ? x.b : x.a;
  // min(min(y, c), d) and the same for max
  const Binary* inner = as<Binary>(x.a);
  if (inner && inner->op == x.op && is_constant_expr(inner->b) && is_constant_expr(x.b)) {
    return rule(binary(x.op, inner->a, rule(binary(x.op, inner->b, x.b))));
  }
  if (e.dtype().lanes > 1 || !is_index_math(x.a) || !is_index_math(x.b)) return e;
  LinearForm d = difference(x.b, x.a);
  if (prove_nonnegative(d)) return want_min ? x.a : x.b;
  if (prove_nonnegative(scaled(d, -1))) return want_min ? x.b : x.a;
  return e;
}

}  // namespace mlc::arith
