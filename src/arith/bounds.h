// Constant bounds of integer expressions.
//
//   Bounds b;  b.bind(i, 0, n);  b.bind(j, 0, 16);
//   bounds_of(i * 16 + j, b)  // {0, kInf}
//
// i64 arithmetic is taken not to overflow when it is index arithmetic (variables, constants, narrower loads);
// everything else is bounded by its type when it may wrap.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "ir/func.h"

namespace mlc::arith {

// The closed interval [min, max]; kNegInf and kInf mean "not known".
struct IntSet {
  static constexpr int64_t kNegInf = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kInf = std::numeric_limits<int64_t>::max();
  int64_t min = kNegInf;
  int64_t max = kInf;

  static IntSet point(int64_t v) { return {v, v}; }
  static IntSet all(DType dtype);  // what the type can hold; i64 and u64: everything
  bool is_point() const { return min == max; }
  bool within(int64_t lo, int64_t hi) const { return min >= lo && max <= hi; }
  bool operator==(const IntSet&) const = default;
};
IntSet unite(const IntSet& a, const IntSet& b);
IntSet intersect(const IntSet& a, const IntSet& b);  // an empty intersection gives a (the code is unreachable)

// What is known about variables: constant intervals, and for loops the symbolic [min, min + extent).
class Bounds {
 public:
  void set(const ir::Var& v, IntSet range);
  // v takes values in [min, min + extent), in terms of variables bound before.
  void bind(const ir::Var& v, const ir::Expr& min, const ir::Expr& extent);
  // Sizes of a function: at least `at_least` (0: a size may be 0).
  void bind_sizes(const ir::PrimFunc& f, int64_t at_least = 0);

  // A condition that holds here: i64 comparisons joined by & become facts, and ranges where they name one variable.
  void assume(const ir::Expr& cond);

  IntSet of(const ir::Var& v) const;
  struct Symbolic {
    ir::Var var;
    ir::Expr min, extent;
  };
  const std::vector<Symbolic>& loops() const { return loops_; }  // in the order of binding
  const std::vector<ir::Expr>& facts() const { return facts_; }  // i64 expressions that are >= 0

 private:
  std::map<ir::Var, IntSet> ranges_;
  std::vector<Symbolic> loops_;
  std::vector<ir::Expr> facts_;
};

// True when e is built from index arithmetic only, so that i64 operations in it are taken not to overflow: no i64
// values from memory, bits or calls. Other integer types never count.
bool is_index_math(const ir::Expr& e);

// Bounds of an integer or bool expression (for vectors: of every lane).
IntSet bounds_of(const ir::Expr& e, const Bounds& bounds = {});

}  // namespace mlc::arith
