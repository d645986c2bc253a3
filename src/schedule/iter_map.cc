#include "schedule/iter_map.h"

#include <algorithm>

#include "schedule/tree.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::Bounds;
using arith::simplify;

Expr IterTerm::to_expr() const {
  Expr e = var;
  if (div != 1) e = floordiv(e, div);
  if (mod != 0) e = floormod(e, mod);
  return scale == 1 ? e : e * Expr(scale);
}

Expr IterSum::to_expr() const {
  Expr e;
  for (const IterTerm& t : terms) e = e ? e + t.to_expr() : t.to_expr();
  if (!e) return base;
  return is_const(base, 0) ? e : e + base;
}

namespace {

Expr ceildiv(const Expr& e, int64_t c, const Bounds& b) { return simplify(floordiv(e + Expr(c - 1), Expr(c)), b); }

class Parser {
 public:
  Parser(const LoopExtents& loops, const Bounds& bounds) : loops_(loops), bounds_(bounds) {}

  std::optional<IterSum> parse(const Expr& e) {
    if (e.dtype() != DType::i64()) return std::nullopt;
    if (!mentions_loop(e)) return IterSum{{}, e};
    if (const VarRef* v = as<VarRef>(e)) {
      return IterSum{{IterTerm{v->var, 1, 0, loops_.at(v->var), 1}}, Expr(0)};
    }
    const Binary* b = as<Binary>(e);
    if (!b) return std::nullopt;
    switch (b->op) {
      case BinaryOp::kAdd:
        return add(parse(b->a), parse(b->b), 1);
      case BinaryOp::kSub:
        return add(parse(b->a), parse(b->b), -1);
      case BinaryOp::kMul: {
        if (const int64_t* c = as_const_int(b->b)) return scaled(parse(b->a), *c);
        if (const int64_t* c = as_const_int(b->a)) return scaled(parse(b->b), *c);
        return std::nullopt;
      }
      case BinaryOp::kFloorDiv:
        return divided(b->a, b->b, true);
      case BinaryOp::kFloorMod:
        return divided(b->a, b->b, false);
      default:
        return std::nullopt;
    }
  }

 private:
  const LoopExtents& loops_;
  const Bounds& bounds_;

  bool mentions_loop(const Expr& e) const {
    bool found = false;
    for_each_expr(e, [&](const Expr& x) {
      const VarRef* v = as<VarRef>(x);
      found |= v && loops_.count(v->var) > 0;
    });
    return found;
  }

  static std::optional<IterSum> scaled(std::optional<IterSum> s, int64_t c) {
    if (!s) return s;
    if (c == 0) return IterSum{{}, Expr(0)};
    for (IterTerm& t : s->terms) t.scale *= c;
    if (!is_const(s->base, 0)) s->base = simplify(s->base * Expr(c));
    return s;
  }

  static std::optional<IterSum> add(std::optional<IterSum> a, std::optional<IterSum> b, int64_t sign) {
    if (!a || !b) return std::nullopt;
    b = scaled(std::move(b), sign);
    for (const IterTerm& t : b->terms) {
      auto same = std::find_if(a->terms.begin(), a->terms.end(),
                               [&](const IterTerm& x) { return x.var == t.var && x.div == t.div && x.mod == t.mod; });
      if (same == a->terms.end()) {
        a->terms.push_back(t);
      } else {
        same->scale += t.scale;
        if (same->scale == 0) a->terms.erase(same);
      }
    }
    if (!is_const(b->base, 0)) a->base = simplify(a->base + b->base);
    join_digits(*a);
    std::stable_sort(a->terms.begin(), a->terms.end(),
                     [](const IterTerm& x, const IterTerm& y) { return x.scale > y.scale; });
    return a;
  }

  // {v, div a, mod m} * s and {v, div a*m} * s*m are one digit.
  static void join_digits(IterSum& s) {
    for (bool again = true; again;) {
      again = false;
      for (size_t i = 0; i < s.terms.size() && !again; ++i) {
        for (size_t j = 0; j < s.terms.size() && !again; ++j) {
          IterTerm &low = s.terms[i], &high = s.terms[j];
          if (i == j || !(low.var == high.var) || low.mod == 0) continue;
          if (high.div != low.div * low.mod || high.scale != low.scale * low.mod) continue;
          low.extent = simplify(high.extent * Expr(low.mod));  // an upper bound when the top digit is not full
          low.mod = high.mod == 0 ? 0 : low.mod * high.mod;
          s.terms.erase(s.terms.begin() + static_cast<std::ptrdiff_t>(j));
          again = true;
        }
      }
    }
  }

  // floor(t / c) and t mod c of one term with scale 1.
  IterTerm high_digit(const IterTerm& t, int64_t c) const {
    IterTerm r = t;
    r.div = t.div * c;
    r.mod = t.mod == 0 ? 0 : t.mod / c;
    r.extent = ceildiv(t.extent, c, bounds_);
    return r;
  }
  IterTerm low_digit(const IterTerm& t, int64_t c) const {
    IterTerm r = t;
    const int64_t* e = as_const_int(t.extent);
    if (e && *e <= c) return r;
    r.mod = c;
    r.extent = Expr(c);
    return r;
  }

  std::optional<IterSum> divided(const Expr& ae, const Expr& ce, bool want_div) {
    const int64_t* cp = as_const_int(ce);
    if (!cp || *cp <= 0) return std::nullopt;
    const int64_t c = *cp;
    std::optional<IterSum> a = parse(ae);
    if (!a) return std::nullopt;
    IterSum high{{}, Expr(0)}, low{{}, Expr(0)};
    for (const IterTerm& t : a->terms) {
      if (t.scale < 0) return std::nullopt;
      (t.scale % c == 0 ? high : low).terms.push_back(t);
    }
    if (!split_base(a->base, c, high.base, low.base)) return std::nullopt;
    if (!split_low(c, high, low)) return std::nullopt;
    if (!want_div) return low;
    for (IterTerm& t : high.terms) t.scale /= c;
    std::stable_sort(high.terms.begin(), high.terms.end(),
                     [](const IterTerm& x, const IterTerm& y) { return x.scale > y.scale; });
    high.base = simplify(floordiv(high.base, Expr(c)), bounds_);
    return high;
  }

  // base = high + low, high a multiple of c, low a constant in [0, c).
  bool split_base(const Expr& base, int64_t c, Expr& high, Expr& low) const {
    Expr rest = simplify(floormod(base, Expr(c)), bounds_);
    const int64_t* r = as_const_int(rest);
    if (!r) return false;
    low = Expr(*r);
    high = simplify(base - low, bounds_);
    return true;
  }

  // Moves what reaches c out of `low`: at most one term, cut into two digits.
  bool split_low(int64_t c, IterSum& high, IterSum& low) const {
    auto limit = [&]() -> int64_t {  // an exclusive bound of low, or -1
      int64_t sum = *as_const_int(low.base) + 1;
      for (const IterTerm& t : low.terms) {
        const int64_t* e = as_const_int(t.extent);
        if (!e) return -1;
        sum += t.scale * (*e - 1);
      }
      return sum;
    };
    int64_t n = limit();
    if (n >= 0 && n <= c) return true;
    if (low.terms.empty()) return false;
    // The term with the largest scale is cut; what is below it must stay below its scale.
    auto top = std::max_element(low.terms.begin(), low.terms.end(),
                                [](const IterTerm& x, const IterTerm& y) { return x.scale < y.scale; });
    const IterTerm t = *top;
    if (c % t.scale != 0) return false;
    const int64_t digit = c / t.scale;
    if (t.mod != 0 && t.mod % digit != 0) return false;
    low.terms.erase(top);
    n = limit();
    if (n < 0 || n > t.scale) return false;
    IterTerm hi = high_digit(t, digit), lo = low_digit(t, digit);
    hi.scale = c;
    lo.scale = t.scale;
    high.terms.push_back(hi);
    low.terms.insert(low.terms.begin(), lo);
    return true;
  }
};

// Terms of `part` are sorted[first..last], up to one factor.
bool same_group(const std::vector<IterTerm>& sorted, size_t first, size_t last, const IterSum& part, int64_t* factor) {
  if (part.terms.size() != last - first + 1) return false;
  for (size_t i = first; i <= last; ++i) {
    const IterTerm& t = sorted[i];
    auto it = std::find_if(part.terms.begin(), part.terms.end(),
                           [&](const IterTerm& x) { return x.var == t.var && x.div == t.div && x.mod == t.mod; });
    if (it == part.terms.end() || it->scale <= 0 || t.scale % it->scale != 0) return false;
    const int64_t f = t.scale / it->scale;
    if (i > first && f != *factor) return false;
    *factor = f;
  }
  return true;
}

}  // namespace

std::optional<IterSum> parse_iter(const Expr& e, const LoopExtents& loops, const Bounds& bounds) {
  if (auto s = Parser(loops, bounds).parse(e)) return s;
  return Parser(loops, bounds).parse(simplify(e, bounds));
}

std::vector<IterLimit> parse_limits(const Expr& predicate, const LoopExtents& loops, const Bounds& bounds,
                                    std::vector<Expr>* other) {
  std::vector<IterLimit> out;
  for (const Expr& c : conjuncts(predicate)) {
    const Binary* b = as<Binary>(c);
    std::optional<IterSum> sum;
    if (b && b->op == BinaryOp::kLt) sum = parse_iter(b->a, loops, bounds);
    std::optional<IterSum> limit;
    if (sum) limit = parse_iter(b->b, loops, bounds);
    if (sum && limit && limit->terms.empty() && !sum->terms.empty()) {
      Expr value = simplify(b->b - sum->base, bounds);
      sum->base = Expr(0);
      out.push_back({*sum, value});
    } else if (other) {
      other->push_back(c);
    }
  }
  return out;
}

Radix radix_of(const std::vector<IterTerm>& terms, const std::vector<IterLimit>& limits, const Bounds& bounds) {
  Radix r{true, true, Expr(1)};
  std::vector<IterTerm> sorted;
  for (const IterTerm& t : terms) {
    if (t.scale <= 0) return {};
    if (!is_const(t.extent, 1)) sorted.push_back(t);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const IterTerm& a, const IterTerm& b) { return a.scale < b.scale; });
  std::vector<Expr> below;  // what the terms before i reach
  for (size_t i = 0; i < sorted.size(); ++i) {
    const int64_t* reached = as_const_int(r.extent);
    const int64_t scale = sorted[i].scale;
    if (!reached) return {};
    below.push_back(r.extent);
    if (scale < *reached) r.injective = false;
    if (scale > *reached) r.dense = false;
    r.extent = simplify(Expr(scale) * (sorted[i].extent - Expr(1)) + r.extent, bounds);
    for (const IterLimit& l : limits) {
      const size_t n = l.sum.terms.size();
      int64_t factor = 1;
      if (n == 0 || n > i + 1 || !same_group(sorted, i + 1 - n, i, l.sum, &factor)) continue;
      Expr narrowed = simplify((l.limit - Expr(1)) * Expr(factor) + below[i + 1 - n], bounds);
      if (arith::prove(narrowed <= r.extent, bounds)) r.extent = narrowed;
    }
  }
  r.dense = r.dense && r.injective;
  return r;
}

bool digits_disjoint(const std::vector<IterSum>& sums, const std::set<Var>& vars) {
  std::map<Var, std::vector<const IterTerm*>> digits;
  for (const IterSum& s : sums) {
    for (const IterTerm& t : s.terms) {
      if (vars.count(t.var)) digits[t.var].push_back(&t);
    }
  }
  for (auto& [v, list] : digits) {
    std::sort(list.begin(), list.end(), [](const IterTerm* a, const IterTerm* b) { return a->div < b->div; });
    for (size_t i = 0; i + 1 < list.size(); ++i) {
      if (list[i]->mod == 0 || list[i]->div * list[i]->mod > list[i + 1]->div) return false;
    }
  }
  return true;
}

bool determine(const std::vector<IterSum>& sums, const std::set<Var>& needed, const LoopExtents& loops,
               const std::vector<IterLimit>& limits, const Bounds& bounds) {
  std::map<Var, std::vector<const IterTerm*>> digits;
  for (const IterSum& s : sums) {
    // A sum that is no mixed radix number tells nothing about its variables, but it cannot do harm either.
    if (!radix_of(s.terms, limits, bounds).injective) continue;
    for (const IterTerm& t : s.terms) digits[t.var].push_back(&t);
  }
  for (const Var& v : needed) {
    auto extent = loops.find(v);
    if (extent != loops.end() && is_const(simplify(extent->second, bounds), 1)) continue;
    auto it = digits.find(v);
    if (it == digits.end()) return false;
    std::vector<const IterTerm*>& list = it->second;
    std::sort(list.begin(), list.end(), [](const IterTerm* a, const IterTerm* b) { return a->div < b->div; });
    int64_t known = 1;  // v mod known is determined; 0: all of v
    for (const IterTerm* t : list) {
      if (known == 0 || t->div > known) break;
      if (t->mod == 0) {
        known = 0;
      } else {
        known = std::max(known, t->div * t->mod);
      }
    }
    if (known == 0) continue;
    const int64_t* e = extent == loops.end() ? nullptr : as_const_int(simplify(extent->second, bounds));
    if (!e || known < *e) return false;
  }
  return true;
}

}  // namespace mlc::schedule
