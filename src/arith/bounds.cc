#include "arith/bounds.h"

#include <algorithm>
#include <bit>

#include "arith/affine.h"
#include "ir/visit.h"

namespace mlc::arith {

using namespace ir;  // NOLINT: the folder is about ir

namespace {

constexpr int64_t kNegInf = IntSet::kNegInf;
constexpr int64_t kInf = IntSet::kInf;

bool infinite(int64_t v) { return v == kNegInf || v == kInf; }

int64_t clamp(__int128 v) {
  if (v >= kInf) return kInf;
  if (v <= kNegInf) return kNegInf;
  return static_cast<int64_t>(v);
}
int64_t add(int64_t a, int64_t b) {
  if (infinite(a)) return a;
  if (infinite(b)) return b;
  return clamp(static_cast<__int128>(a) + b);
}
int64_t negate(int64_t a) { return a == kNegInf ? kInf : a == kInf ? kNegInf : -a; }
int64_t mul(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  if (infinite(a) || infinite(b)) return (a < 0) != (b < 0) ? kNegInf : kInf;
  return clamp(static_cast<__int128>(a) * b);
}
// b > 0
int64_t floordiv(int64_t a, int64_t b) {
  if (b == kInf) return a < 0 ? -1 : 0;
  if (infinite(a)) return a;
  return a >= 0 ? a / b : -((-(a + 1)) / b) - 1;
}
// The smallest 2^k - 1 that is >= v.
int64_t all_ones(int64_t v) {
  if (v >= (int64_t{1} << 61)) return kInf;
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(v) + 1)) - 1;
}

IntSet compare(BinaryOp op, const IntSet& a, const IntSet& b) {
  auto decided = [](bool yes, bool no) { return yes ? IntSet::point(1) : no ? IntSet::point(0) : IntSet{0, 1}; };
  // kInf as a maximum may stand for anything above it, so that only strict separation by a finite value counts.
  const bool a_below = !infinite(a.max) && !infinite(b.min) && a.max < b.min;
  const bool b_below = !infinite(b.max) && !infinite(a.min) && b.max < a.min;
  const bool a_below_or_equal = !infinite(a.max) && !infinite(b.min) && a.max <= b.min;
  const bool b_below_or_equal = !infinite(b.max) && !infinite(a.min) && b.max <= a.min;
  const bool same_point = a.is_point() && a == b && !infinite(a.min);
  switch (op) {
    case BinaryOp::kLt:
      return decided(a_below, b_below_or_equal);
    case BinaryOp::kLe:
      return decided(a_below_or_equal, b_below);
    case BinaryOp::kGt:
      return decided(b_below, a_below_or_equal);
    case BinaryOp::kGe:
      return decided(b_below_or_equal, a_below);
    case BinaryOp::kEq:
      return decided(same_point, a_below || b_below);
    default:
      return decided(a_below || b_below, same_point);
  }
}

class Analysis {
 public:
  explicit Analysis(const Bounds& bounds) : bounds_(bounds) {}

  IntSet of(const Expr& e) {
    const DType t = e.dtype();
    if (t.is_float()) return {};
    const IntSet raw = match(
        e,
        [&](const IntImm& x) {
          return t.bits == 64 && t.is_uint() && x.value < 0 ? IntSet::all(t) : IntSet::point(x.value);
        },
        [&](const FloatImm&) { return IntSet{}; }, [&](const VarRef& x) { return bounds_.of(x.var); },
        [&](const Unary& x) { return unary(t, x); }, [&](const Binary& x) { return binary(t, x); },
        [&](const Cast& x) { return x.a.dtype().is_float() ? IntSet::all(t) : cast(t, x.a); },
        [&](const Reinterpret&) { return IntSet::all(t); }, [&](const Select& x) { return select(x); },
        [&](const Load&) { return IntSet::all(t); }, [&](const LoadBits&) { return IntSet::all(t); },
        [&](const Ramp& x) { return ramp(t, x); }, [&](const Broadcast& x) { return of(x.a); },
        [&](const Shuffle& x) {
          IntSet s = of(x.vectors[0]);
          for (const Expr& v : x.vectors) s = unite(s, of(v));
          return s;
        },
        [&](const VectorReduce& x) {
          IntSet s = of(x.a);
          if (x.op != ReduceOp::kAdd) return s;
          const int64_t n = x.a.dtype().lanes;
          return IntSet{mul(s.min, n), mul(s.max, n)};
        },
        [&](const Call& x) { return x.intrinsic == "popcount" ? IntSet{0, t.bits} : IntSet::all(t); });
    return fit(e, raw);
  }

 private:
  const Bounds& bounds_;

  // What may wrap can be anything of the type.
  static IntSet fit(const Expr& e, const IntSet& s) {
    const DType t = e.dtype();
    const IntSet all = IntSet::all(t);
    if (t.is_bool()) return intersect(s, all);
    if (t.bits < 64) return s.min >= all.min && s.max <= all.max ? s : all;
    if (!infinite(s.min) && !infinite(s.max)) return t.is_uint() && s.min < 0 ? all : s;
    if (t.is_uint()) return s.min >= 0 && as<Binary>(e) == nullptr ? s : all;
    return is_index_math(e) || !as<Binary>(e) || !wraps(*as<Binary>(e)) ? s : all;
  }
  static bool wraps(const Binary& b) {
    return b.op == BinaryOp::kAdd || b.op == BinaryOp::kSub || b.op == BinaryOp::kMul || b.op == BinaryOp::kShl;
  }

  IntSet unary(DType t, const Unary& x) {
    const IntSet a = of(x.a);
    if (x.op == UnaryOp::kNeg) return {negate(a.max), negate(a.min)};
    if (t.is_bool()) return {1 - a.max, 1 - a.min};
    if (t.is_int()) return {add(negate(a.max), -1), add(negate(a.min), -1)};
    return IntSet::all(t);
  }

  IntSet cast(DType t, const Expr& from) {
    const IntSet a = of(from), all = IntSet::all(t);
    if (t.is_bool()) return a.min > 0 || a.max < 0 ? IntSet::point(1) : a == IntSet::point(0) ? a : all;
    const bool from_u64 = from.dtype().is_uint() && from.dtype().bits == 64;
    if (from_u64 && a.max == kInf) return all;  // may lie above the largest i64
    if (t.is_uint() && a.min < 0) return all;
    return a.min >= all.min && a.max <= all.max ? a : all;
  }

  IntSet select(const Select& x) {
    const IntSet c = of(x.cond);
    if (c == IntSet::point(1)) return of(x.if_true);
    if (c == IntSet::point(0)) return of(x.if_false);
    return unite(of(x.if_true), of(x.if_false));
  }

  // Finite bounds whose combination leaves the type: the value wraps for sure, whatever index arithmetic may promise.
  static bool overflows(const IntSet& base, const IntSet& stride, int64_t n) {
    for (int64_t b : {base.min, base.max}) {
      for (int64_t s : {stride.min, stride.max}) {
        if (!infinite(b) && !infinite(s) && infinite(add(b, mul(s, n)))) return true;
      }
    }
    return false;
  }

  IntSet ramp(DType t, const Ramp& x) {
    const IntSet base = of(x.base), stride = of(x.stride);
    const int64_t n = t.lanes - 1;
    if (overflows(base, stride, n)) return IntSet::all(t);
    return {add(base.min, std::min<int64_t>(0, mul(stride.min, n))),
            add(base.max, std::max<int64_t>(0, mul(stride.max, n)))};
  }

  IntSet binary(DType t, const Binary& x) {
    if (x.a.dtype().is_float()) return {0, 1};
    const IntSet a = of(x.a), b = of(x.b);
    switch (x.op) {
      case BinaryOp::kAdd:
        return {add(a.min, b.min), add(a.max, b.max)};
      case BinaryOp::kSub:
        return {add(a.min, negate(b.max)), add(a.max, negate(b.min))};
      case BinaryOp::kMul: {
        const auto [lo, hi] = std::minmax({mul(a.min, b.min), mul(a.min, b.max), mul(a.max, b.min), mul(a.max, b.max)});
        return {lo, hi};
      }
      case BinaryOp::kFloorDiv:
        return divide(t, a, b);
      case BinaryOp::kFloorMod:
        return modulo(t, a, b);
      case BinaryOp::kMin:
        return {std::min(a.min, b.min), std::min(a.max, b.max)};
      case BinaryOp::kMax:
        return {std::max(a.min, b.min), std::max(a.max, b.max)};
      case BinaryOp::kAnd:
      case BinaryOp::kOr:
      case BinaryOp::kXor:
        return bits(x.op, t, a, b);
      case BinaryOp::kShl:
        if (!b.is_point() || b.min < 0 || b.min >= t.bits - 1) return IntSet::all(t);
        return {mul(a.min, int64_t{1} << b.min), mul(a.max, int64_t{1} << b.min)};
      case BinaryOp::kShr:
        if (!b.is_point() || b.min < 0 || b.min >= t.bits || b.min > 62) return IntSet::all(t);
        if (t.is_uint() && t.bits == 64 && a.max == kInf) return IntSet::all(t);
        return {floordiv(a.min, int64_t{1} << b.min), floordiv(a.max, int64_t{1} << b.min)};
      case BinaryOp::kDiv:
        return {};
      default:
        return compare(x.op, a, b);
    }
  }

  static IntSet divide(DType t, const IntSet& a, const IntSet& b) {
    if (b.min <= 0) return IntSet::all(t);
    if (t.is_uint() && t.bits == 64 && (a.max == kInf || b.max == kInf)) return IntSet::all(t);
    return {std::min(floordiv(a.min, b.min), floordiv(a.min, b.max)),
            std::max(floordiv(a.max, b.min), floordiv(a.max, b.max))};
  }
  static IntSet modulo(DType t, const IntSet& a, const IntSet& b) {
    if (b.min <= 0) return IntSet::all(t);
    if (t.is_uint() && t.bits == 64 && (a.max == kInf || b.max == kInf)) return IntSet::all(t);
    if (a.min >= 0 && a.max < b.min) return a;
    const int64_t top = b.max == kInf ? kInf : b.max - 1;
    return {0, a.min >= 0 ? std::min(a.max, top) : top};
  }
  static IntSet bits(BinaryOp op, DType t, const IntSet& a, const IntSet& b) {
    if (t.is_bool()) {
      if (op == BinaryOp::kAnd) return {a.min & b.min, a.max & b.max};
      if (op == BinaryOp::kOr) return {a.min | b.min, a.max | b.max};
      return a.is_point() && b.is_point() ? IntSet::point(a.min ^ b.min) : IntSet{0, 1};
    }
    const bool wide = t.is_uint() && t.bits == 64;  // kInf may then stand for more than the largest i64
    if (op == BinaryOp::kAnd) {
      int64_t top = kInf;
      if (a.min >= 0 && !(wide && a.max == kInf)) top = std::min(top, a.max);
      if (b.min >= 0 && !(wide && b.max == kInf)) top = std::min(top, b.max);
      return a.min >= 0 || b.min >= 0 ? IntSet{0, top} : IntSet::all(t);
    }
    if (a.min < 0 || b.min < 0 || a.max == kInf || b.max == kInf) return IntSet::all(t);
    const int64_t top = all_ones(std::max(a.max, b.max));
    return {op == BinaryOp::kOr ? std::max(a.min, b.min) : 0, top};
  }
};

}  // namespace

IntSet IntSet::all(DType t) {
  if (t.is_bool()) return {0, 1};
  if (t.is_float()) return {};
  if (t.bits == 64) return t.is_uint() ? IntSet{0, kInf} : IntSet{};
  if (t.is_uint()) return {0, (int64_t{1} << t.bits) - 1};
  return {-(int64_t{1} << (t.bits - 1)), (int64_t{1} << (t.bits - 1)) - 1};
}
IntSet unite(const IntSet& a, const IntSet& b) { return {std::min(a.min, b.min), std::max(a.max, b.max)}; }
IntSet intersect(const IntSet& a, const IntSet& b) {
  const IntSet s{std::max(a.min, b.min), std::min(a.max, b.max)};
  return s.min <= s.max ? s : a;
}

// Constants beyond any buffer's size are data, not indices.
static constexpr int64_t kLargestIndex = int64_t{1} << 47;

bool is_index_math(const Expr& e) {
  if (e.dtype().scalar() != DType::i64()) return false;
  return match(
      e, [](const IntImm& x) { return x.value >= -kLargestIndex && x.value <= kLargestIndex; },
      [](const FloatImm&) { return false; }, [](const VarRef&) { return true; },
      [](const Unary& x) { return x.op == UnaryOp::kNeg && is_index_math(x.a); },
      [](const Binary& x) {
        switch (x.op) {
          case BinaryOp::kAdd:
          case BinaryOp::kSub:
          case BinaryOp::kMul:
          case BinaryOp::kFloorDiv:
          case BinaryOp::kFloorMod:
          case BinaryOp::kMin:
          case BinaryOp::kMax:
            return is_index_math(x.a) && is_index_math(x.b);
          default:
            return false;
        }
      },
      [](const Cast& x) {
        const DType t = x.a.dtype();
        return t.is_bool() || (t.is_any_int() && t.bits < 64);
      },
      [](const Reinterpret&) { return false; },
      [](const Select& x) { return is_index_math(x.if_true) && is_index_math(x.if_false); },
      [](const Load&) { return false; }, [](const LoadBits&) { return false; },
      [](const Ramp& x) { return is_index_math(x.base) && is_index_math(x.stride); },
      [](const Broadcast& x) { return is_index_math(x.a); }, [](const Shuffle&) { return false; },
      [](const VectorReduce&) { return false; }, [](const Call&) { return false; });
}

void Bounds::set(const Var& v, IntSet range) { ranges_[v] = range; }

void Bounds::bind(const Var& v, const Expr& min, const Expr& extent) {
  const IntSet lo = bounds_of(min, *this), n = bounds_of(extent, *this);
  // A variable that has a value has an extent of at least 1.
  IntSet range{lo.min, add(add(lo.max, n.max), -1)};
  if (range.max < range.min) range.max = range.min;
  ranges_[v] = range;
  loops_.push_back({v, min, extent});
}

void Bounds::bind_sizes(const PrimFunc& f, int64_t at_least) {
  for (const Var& v : f.sizes) {
    if (!ranges_.count(v)) ranges_[v] = IntSet{at_least, kInf};
  }
}

void Bounds::assume(const Expr& cond) {
  const Binary* b = as<Binary>(cond);
  if (!b || cond.dtype().lanes != 1) return;
  if (b->op == BinaryOp::kAnd) {
    assume(b->a);
    assume(b->b);
    return;
  }
  if (b->a.dtype() != DType::i64() || !is_index_math(b->a) || !is_index_math(b->b)) return;
  auto at_least_zero = [&](const Expr& big, const Expr& small, int64_t minus) {
    LinearForm f = linear_form(big);
    f.add(linear_form(small), -1);
    if (f.constant < -4 * kLargestIndex || f.constant > 4 * kLargestIndex) return;
    f.constant -= minus;
    facts_.push_back(f.to_expr());
    if (f.terms.size() != 1 || infinite(f.constant)) return;
    const VarRef* v = as<VarRef>(f.terms[0].atom);
    if (!v) return;
    // v + c >= 0, or -v + c >= 0
    if (f.terms[0].coefficient == 1) ranges_[v->var] = intersect(of(v->var), IntSet{-f.constant, kInf});
    if (f.terms[0].coefficient == -1) ranges_[v->var] = intersect(of(v->var), IntSet{kNegInf, f.constant});
  };
  switch (b->op) {
    case BinaryOp::kLt:
      at_least_zero(b->b, b->a, 1);
      break;
    case BinaryOp::kLe:
      at_least_zero(b->b, b->a, 0);
      break;
    case BinaryOp::kGt:
      at_least_zero(b->a, b->b, 1);
      break;
    case BinaryOp::kGe:
      at_least_zero(b->a, b->b, 0);
      break;
    case BinaryOp::kEq:
      at_least_zero(b->a, b->b, 0);
      at_least_zero(b->b, b->a, 0);
      break;
    default:
      break;
  }
}

IntSet Bounds::of(const Var& v) const {
  auto it = ranges_.find(v);
  return it == ranges_.end() ? IntSet::all(v.dtype()) : it->second;
}

IntSet bounds_of(const Expr& e, const Bounds& bounds) { return Analysis(bounds).of(e); }

}  // namespace mlc::arith
