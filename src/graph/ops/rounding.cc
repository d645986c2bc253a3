#include "graph/ops/rounding.h"

namespace mlc::graph::ops {

using ir::Expr;

namespace {
Expr splat(const Expr& e, int lanes) { return lanes == 1 ? e : ir::broadcast(e, lanes); }
}  // namespace

Expr magnitude_bits(const Expr& x) {
  const DType vi = DType::i32().with_lanes(x.dtype().lanes);
  return ir::reinterpret(vi, x) & ir::imm(vi, 0x7FFFFFFF);
}

Expr inverse_scale(const Expr& amax) {
  return ir::select(amax > ir::f32(0), ir::f32(127) / ir::max(amax, ir::f32(1e-30)), ir::f32(0));
}

// Added to 1.5 * 2^23, a small number is rounded to a whole one, which then stands in the low bits of the float; a
// conversion would have to look after values that do not fit.
Expr nearest_code(const Expr& x, const Expr& inverse) {
  constexpr double kRound = 12582912.0;
  constexpr int64_t kRoundBits = 0x4B400000;
  const int lanes = x.dtype().lanes;
  const DType vi = DType::i32().with_lanes(lanes);
  const Expr shifted = ir::fma(x, splat(inverse, lanes), ir::fimm(DType::f32().with_lanes(lanes), kRound));
  return ir::reinterpret(vi, shifted) - ir::imm(vi, kRoundBits);
}

}  // namespace mlc::graph::ops
