// Index expressions as sums of digits of loop variables: the quasi-affine maps after TVM's iter_affine_map.
//
//   (f // 4) * 16 + f % 4 * 2 + n   ->   {f, div 4} * 16 + {f, mod 4} * 2 + base n
//
// With it one can say that a map is injective (no two iterations touch the same element) or dense (a loop nest touches
// a whole box). All loops start at 0. Divisors and scales are constants; extents may be symbolic.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "arith/simplify.h"
#include "ir/visit.h"

namespace mlc::schedule {

using LoopExtents = std::map<ir::Var, ir::Expr>;

// scale * ((var // div) % mod), with `extent` values; mod 0: no modulus, the highest digits.
struct IterTerm {
  ir::Var var;
  int64_t div = 1;
  int64_t mod = 0;
  ir::Expr extent;
  int64_t scale = 1;

  ir::Expr to_expr() const;
};
struct IterSum {
  std::vector<IterTerm> terms;  // by falling scale, then by first appearance
  ir::Expr base;                // free of the loops
  ir::Expr to_expr() const;
};

// nullopt: not of this form.
std::optional<IterSum> parse_iter(const ir::Expr& e, const LoopExtents& loops, const arith::Bounds& bounds);

// `sum of terms < limit`, from a predicate; it narrows what a sum of the same terms can reach.
struct IterLimit {
  IterSum sum;
  ir::Expr limit;
};
// The conjuncts of a predicate that have this form; *other gets those that have not.
std::vector<IterLimit> parse_limits(const ir::Expr& predicate, const LoopExtents& loops, const arith::Bounds& bounds,
                                    std::vector<ir::Expr>* other = nullptr);

// The number of values of a sum when it is counted as a mixed radix number: `injective` if different digits give
// different values, `dense` if besides all values in [0, extent) are reached.
struct Radix {
  bool injective = false;
  bool dense = false;
  ir::Expr extent;
};
Radix radix_of(const std::vector<IterTerm>& terms, const std::vector<IterLimit>& limits, const arith::Bounds& bounds);

// True when the sums together determine every variable in `needed`, and no digit is used twice; loops that run once are
// always determined.
bool determine(const std::vector<IterSum>& sums, const std::set<ir::Var>& needed, const LoopExtents& loops,
               const std::vector<IterLimit>& limits, const arith::Bounds& bounds);
// True when no digit of a variable in `vars` stands in two sums (or overlaps another digit).
bool digits_disjoint(const std::vector<IterSum>& sums, const std::set<ir::Var>& vars);

}  // namespace mlc::schedule
