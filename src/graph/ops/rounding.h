// Symmetric quantization to 8 bits, for emitters: scale = amax / 127, code = round(x / scale).
#pragma once

#include "ir/expr.h"

namespace mlc::graph::ops {

// |x| as integers of the same lanes, which compare as the magnitudes do; NaN is the largest.
ir::Expr magnitude_bits(const ir::Expr& x);
// 127 / amax; 0 for amax = 0, which makes all codes 0.
ir::Expr inverse_scale(const ir::Expr& amax);
// The whole number nearest to x * inverse (ties to even), for |x * inverse| <= 127, as i32 of x's lanes.
ir::Expr nearest_code(const ir::Expr& x, const ir::Expr& inverse);

}  // namespace mlc::graph::ops
