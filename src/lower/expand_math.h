// Math functions as IR, so that kernels import no math library. f32 only: 16-bit floats were widened by
// legalize_dtypes.
//
//   exp(x)  ->  t = fma(x, log2 e, 1.5 * 2^23);  k = t - 1.5 * 2^23;  r = x - k * ln 2;  2^k * polynomial(r)
//
// | function         | error (f32)      | edges                                                            |
// |------------------|------------------|------------------------------------------------------------------|
// | exp, exp2        | at most 2 ulp    | overflow gives inf; results below 2^-126 give 0; exp(-inf) = 0     |
// | log              | at most 2 ulp    | log(0) = -inf, negative arguments NaN, denormal arguments as such |
// | tanh             | at most 2 ulp    | +-1 far out                                                      |
// | sin, cos         | at most 2 ulp    | |x| < 2^28, computed in f64; NaN beyond                          |
// | floor ceil round | exact            | only where the target has no instruction                         |
// | fma              | exact            | the same, f64 too; f64 products that nearly overflow round twice  |
//
// NaN gives NaN. sqrt, rsqrt, abs and popcount are left to the code generator.
#pragma once

#include "ir/func.h"
#include "target/target.h"

namespace mlc::lower {

ir::PrimFunc expand_math(const ir::PrimFunc& f, const target::Target& target);

}  // namespace mlc::lower
