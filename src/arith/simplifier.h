// The simplifier's inside (private to arith/): one rewriting pass over expressions under given bounds. Rules by topic:
// simplify_expr.cc (constants, sums, logic), simplify_div.cc (floordiv and floormod), simplify_compare.cc (comparisons,
// min, max and proofs).
#pragma once

#include <optional>

#include "arith/affine.h"
#include "arith/bounds.h"

namespace mlc::arith {

class Simplifier : public ir::Mutator {
 public:
  explicit Simplifier(Bounds bounds) : bounds_(std::move(bounds)) {}

  using Mutator::mutate;
  ir::Expr mutate(const ir::Expr& e) override;
  // Passes until nothing changes.
  ir::Expr to_fixpoint(ir::Expr e);

  // f >= 0 for all values within the bounds; false when not shown.
  bool prove_nonnegative(const LinearForm& f);
  bool prove(const ir::Expr& cond);

  Bounds& bounds() { return bounds_; }

 protected:
  Bounds bounds_;

 private:
  // simplify_expr.cc
  ir::Expr sum(const ir::Expr& e);
  void collect(const ir::Expr& e, int64_t factor, LinearForm& out);
  void collect_product(const LinearForm& a, const LinearForm& b, int64_t factor, LinearForm& out);
  void add_simplified(const ir::Expr& e, int64_t factor, LinearForm& out);
  void merge_div_mod(LinearForm& f);
  ir::Expr rule(const ir::Expr& e);
  ir::Expr unary_rule(const ir::Expr& e, const ir::Unary& x);
  ir::Expr binary_rule(const ir::Expr& e, const ir::Binary& x);
  ir::Expr vector_rule(const ir::Expr& e, const ir::Binary& x);
  ir::Expr logic_rule(const ir::Expr& e, const ir::Binary& x);
  ir::Expr float_rule(const ir::Expr& e, const ir::Binary& x);
  ir::Expr select_rule(const ir::Expr& e, const ir::Select& x);
  ir::Expr cast_rule(const ir::Expr& e, const ir::Cast& x);

  // simplify_div.cc: x and d simplified
  ir::Expr div_mod_rule(const ir::Expr& e, const ir::Binary& x);
  ir::Expr div_by_constant(const ir::Expr& x, int64_t d);
  ir::Expr mod_by_constant(const ir::Expr& x, int64_t d);
  ir::Expr div_mod_symbolic(const ir::Expr& e, const ir::Binary& x);
  std::optional<int64_t> constant_quotient(const LinearForm& f, int64_t d);
  struct Grouped {
    LinearForm high, low;  // x = high * g + low with 0 <= low < g
    int64_t g = 0;
  };
  std::optional<Grouped> group(const LinearForm& f, int64_t d);
  ir::Expr ramp_div_mod(const ir::Expr& e, const ir::Binary& x);

  // simplify_compare.cc
  ir::Expr compare_rule(const ir::Expr& e, const ir::Binary& x);
  ir::Expr compare_index(const ir::Expr& e, ir::BinaryOp op, const ir::Expr& a, const ir::Expr& b);
  ir::Expr min_max_rule(const ir::Expr& e, const ir::Binary& x);
  std::optional<bool> decide_lanes(const ir::Binary& x);
  IntSet bounds_of_form(const LinearForm& f) const;
  bool nonnegative(const LinearForm& f, int& budget);
  bool nonnegative_by_atoms(const LinearForm& f, int& budget);
  bool nonnegative_by_loops(const LinearForm& f, int& budget);
  std::optional<LinearForm> eliminate(const LinearForm& f, const Bounds::Symbolic& loop);
};

// The factors of a product, and the product of factors in canonical order.
std::vector<ir::Expr> factors_of(const ir::Expr& e);
ir::Expr product_of(std::vector<ir::Expr> factors, DType dtype);
bool is_constant_expr(const ir::Expr& e);
// All numbers of f are below 2^50, so that adding a few of them or scaling them a little does not overflow.
bool is_small(const LinearForm& f);

}  // namespace mlc::arith
