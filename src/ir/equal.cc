// Equality of expressions as trees. Alpha equivalence of functions: structural_equal.cc.
#include <bit>

#include "ir/visit.h"

namespace mlc::ir {

namespace {

bool all_equal(const std::vector<Expr>& a, const std::vector<Expr>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i], b[i])) return false;
  }
  return true;
}

// Same kind is known; one overload per kind.
struct SameKind {
  const Expr& other;

  template <typename T>
  const T& o() const {
    return std::get<T>(other->kind);
  }
  bool operator()(const IntImm& x) const { return x.value == o<IntImm>().value; }
  bool operator()(const FloatImm& x) const {
    return std::bit_cast<uint64_t>(x.value) == std::bit_cast<uint64_t>(o<FloatImm>().value);
  }
  bool operator()(const VarRef& x) const { return x.var == o<VarRef>().var; }
  bool operator()(const Unary& x) const { return x.op == o<Unary>().op && equal(x.a, o<Unary>().a); }
  bool operator()(const Binary& x) const {
    const Binary& y = o<Binary>();
    return x.op == y.op && equal(x.a, y.a) && equal(x.b, y.b);
  }
  bool operator()(const Cast& x) const { return equal(x.a, o<Cast>().a); }
  bool operator()(const Reinterpret& x) const { return equal(x.a, o<Reinterpret>().a); }
  bool operator()(const Select& x) const {
    const Select& y = o<Select>();
    return equal(x.cond, y.cond) && equal(x.if_true, y.if_true) && equal(x.if_false, y.if_false);
  }
  bool operator()(const Load& x) const {
    const Load& y = o<Load>();
    return x.buffer == y.buffer && all_equal(x.indices, y.indices) && equal(x.predicate, y.predicate);
  }
  bool operator()(const LoadBits& x) const {
    const LoadBits& y = o<LoadBits>();
    return x.buffer == y.buffer && all_equal(x.indices, y.indices);
  }
  bool operator()(const Ramp& x) const { return equal(x.base, o<Ramp>().base) && equal(x.stride, o<Ramp>().stride); }
  bool operator()(const Broadcast& x) const { return equal(x.a, o<Broadcast>().a); }
  bool operator()(const Shuffle& x) const {
    return x.indices == o<Shuffle>().indices && all_equal(x.vectors, o<Shuffle>().vectors);
  }
  bool operator()(const VectorReduce& x) const {
    return x.op == o<VectorReduce>().op && equal(x.a, o<VectorReduce>().a);
  }
  bool operator()(const Call& x) const {
    return x.intrinsic == o<Call>().intrinsic && all_equal(x.args, o<Call>().args);
  }
};

}  // namespace

bool equal(const Expr& a, const Expr& b) {
  if (a.same_as(b)) return true;
  if (!a || !b || a.dtype() != b.dtype() || a->kind.index() != b->kind.index()) return false;
  return std::visit(SameKind{b}, a->kind);
}

}  // namespace mlc::ir
