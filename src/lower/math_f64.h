// The f64 forms of expand_math's functions: the same reductions with longer polynomials.
//
// | function  | error          | edges                                                                     |
// |-----------|----------------|---------------------------------------------------------------------------|
// | exp, exp2 | at most 2 ulp  | overflow gives inf; results below 2^-1022 give 0                            |
// | log       | at most 2 ulp  | log(0) = -inf, negative arguments NaN, denormal arguments as such           |
// | tanh      | at most 4 ulp  | +-1 far out                                                               |
// | sin, cos  | at most 2 ulp  | |x| < 2^20 (three parts of pi/2); NaN beyond                                |
#pragma once

#include <functional>

#include "ir/expr.h"

namespace mlc::lower {

class F64Math {
 public:
  // hoist names a value that is used more than once (LetHoister::hoist).
  using Hoist = std::function<ir::Expr(const char* name, const ir::Expr& value)>;
  F64Math(bool has_fma, Hoist hoist) : has_fma_(has_fma), hoist_(std::move(hoist)) {}

  // x: f64 of any number of lanes, used many times (hoisted by the caller).
  ir::Expr exp(const ir::Expr& x);
  ir::Expr exp2(const ir::Expr& x);
  ir::Expr log(const ir::Expr& x);
  ir::Expr tanh(const ir::Expr& x);
  ir::Expr sin(const ir::Expr& x) { return sin_cos(x, 0); }
  ir::Expr cos(const ir::Expr& x) { return sin_cos(x, 1); }

 private:
  struct Reduced {
    ir::Expr biased;  // 1.5 * 2^52 + k
    ir::Expr r;
  };
  ir::Expr mul_add(const ir::Expr& a, const ir::Expr& b, const ir::Expr& c) const;
  template <size_t N>
  ir::Expr polynomial(const double (&c)[N], const ir::Expr& x) const;
  Reduced reduce_ln2(const ir::Expr& x);
  ir::Expr exp_minus_1(const ir::Expr& r);
  ir::Expr scale(const ir::Expr& x, const Reduced& reduced, double lowest, double highest);
  ir::Expr sin_cos(const ir::Expr& x, int quadrant);

  bool has_fma_;
  Hoist hoist_;
};

}  // namespace mlc::lower
