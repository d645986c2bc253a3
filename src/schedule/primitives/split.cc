#include "schedule/primitives/split.h"

#include "arith/simplify.h"
#include "ir/text.h"
#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::simplify;

namespace {

// The factors as expressions, the -1 filled in.
Result<std::vector<Expr>> extents_of(const LoopAt& at, const std::vector<int64_t>& factors,
                                     const arith::Bounds& bounds) {
  if (factors.empty()) return error("{}: no factors are given", at.label);
  int64_t product = 1;
  int inferred = 0;
  for (int64_t f : factors) {
    if (f == -1) {
      ++inferred;
    } else if (f <= 0 || f > (int64_t{1} << 31) / product) {
      return error("{}: factor {} is out of range; expected positive factors, at most one of them -1", at.label, f);
    } else {
      product *= f;
    }
  }
  if (inferred > 1) return error("{}: {} factors are -1; only one can be inferred", at.label, inferred);
  const Expr& extent = at.node->extent;
  Expr rest = simplify(floordiv(extent + Expr(product - 1), Expr(product)), bounds);
  if (inferred == 0 && !arith::prove(extent <= Expr(product), bounds)) {
    return error("{}: the factors make {} iterations, which are not known to cover its extent {}", at.label, product,
                 print(extent));
  }
  std::vector<Expr> out;
  for (int64_t f : factors) out.push_back(f == -1 ? rest : Expr(f));
  return out;
}

}  // namespace

Result<Change> apply(const State& s, const Split& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  MLC_TRY_VOID(expect_serial(at, "split"));
  const arith::Bounds bounds = bounds_along(s.func, at.path);
  std::vector<int64_t> factors;
  for (const Number& n : x.factors) {
    MLC_TRY(const int64_t factor, s.value(n));
    factors.push_back(factor);
  }
  MLC_TRY(std::vector<Expr> extents, extents_of(at, factors, bounds));
  Change c;
  std::vector<LoopSpec> loops;
  Expr index, covered;
  for (size_t i = 0; i < extents.size(); ++i) {
    Var v = var(fmt::format("{}_{}", at.node->var.name(), i));
    loops.push_back({v, extents[i]});
    c.loops.push_back(v);
    index = index ? index * extents[i] + Expr(v) : Expr(v);
    covered = covered ? covered * extents[i] : extents[i];
  }
  arith::Bounds inside = bounds;
  for (const LoopSpec& l : loops) inside.bind(l.var, 0, l.extent);
  index = simplify(index, inside);
  Stmt body = substitute(at.node->body, {{at.node->var, index}});
  if (!arith::prove_equal(covered, at.node->extent, bounds)) body = add_predicate(body, index < at.node->extent);
  Stmt made = nest(loops, body);
  c.body = replace(s.func.body, at.path.back(), made);
  return c;
}

}  // namespace mlc::schedule
