// Integer expressions as sums: coefficient * atom + constant.
//
//   LinearForm f = linear_form(i * 16 + j + 3);   // terms {i: 16, j: 1}, constant 3
//   f.coefficient(i) == 16;   f.is_affine();      // every atom is a variable
//
// Atoms are whatever is not a sum or a product with a constant: variables, loads, floordiv, min … Terms stand in the
// order of first appearance, no two with equal atoms, no coefficient 0. Valid modulo 2^bits, so for any integer type.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/visit.h"

namespace mlc::arith {

struct LinearForm {
  struct Term {
    ir::Expr atom;
    int64_t coefficient;
  };
  DType dtype = DType::i64();
  std::vector<Term> terms;
  int64_t constant = 0;

  int64_t coefficient(const ir::Var& v) const;  // 0 when v is no term (it may still hide in an atom)
  bool is_constant() const { return terms.empty(); }
  bool is_affine() const;                      // all atoms are variables
  bool hides(const ir::Var& v) const;          // v occurs inside an atom that is not v itself
  LinearForm without(const ir::Var& v) const;  // the form with v's term removed
  void add(const ir::Expr& atom, int64_t coefficient);
  void add(const LinearForm& other, int64_t factor = 1);
  ir::Expr to_expr() const;
};

LinearForm linear_form(const ir::Expr& e);

}  // namespace mlc::arith
