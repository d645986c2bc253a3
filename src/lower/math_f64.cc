#include "lower/math_f64.h"

#include <cmath>
#include <limits>

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

// Minimax fits (Remez, 60 digits) of our own.
// e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2; error 4e-18.
constexpr double kExp[] = {5.00000000000001110e-01, 1.66666666666664132e-01, 4.16666666665301624e-02,
                           8.33333333349446474e-03, 1.38888889436289452e-03, 1.98412695065657100e-04,
                           2.48014931000709801e-05, 2.75575863884329503e-06, 2.76302479901550845e-07,
                           2.50000567081605226e-08};
// log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s^2, |s| <= 0.1716; error 3e-18.
constexpr double kLog[] = {6.66666666666673402e-01, 3.99999999994143596e-01, 2.85714287424666813e-01,
                           2.22221985642876874e-01, 1.81835648258780624e-01, 1.53140368751275707e-01,
                           1.47960949530980101e-01};
// sin r = r + r z P(z), cos r = 1 - z/2 + z^2 Q(z), z = r^2, |r| <= pi/4.
constexpr double kSin[] = {-1.66666666666666324e-01, 8.33333333332241313e-03,  -1.98412698298077372e-04,
                           2.75573136919001311e-06,  -2.50507581131152971e-08, 1.58967955528139632e-10};
constexpr double kCos[] = {4.16666666666666019e-02,  -1.38888888888741248e-03, 2.48015872894822419e-05,
                           -2.75573143523491605e-07, 2.08757232753199321e-09,  -1.13596479029620259e-11};
// High parts of ln 2 (32 bits) and pi/2 (33 bits each): their products with small integers are exact.
constexpr double kLn2High = 6.93147180369123816e-01, kLn2Low = 1.90821492927058770e-10;
constexpr double kHalfPi1 = 1.57079632673412561e+00, kHalfPi2 = 6.07710050630396598e-11,
                 kHalfPi3 = 2.02226624879595063e-21;
constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
constexpr double kInf = std::numeric_limits<double>::infinity();

DType int_like(DType t) { return DType::i64().with_lanes(t.lanes); }
Expr bits_of(const Expr& x) { return reinterpret(int_like(x.dtype()), x); }
Expr num(const Expr& like, double v) { return fimm(like.dtype(), v); }

}  // namespace

Expr F64Math::mul_add(const Expr& a, const Expr& b, const Expr& c) const { return has_fma_ ? fma(a, b, c) : a * b + c; }

template <size_t N>
Expr F64Math::polynomial(const double (&c)[N], const Expr& x) const {
  Expr p = num(x, c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) p = mul_add(p, x, num(x, c[i]));
  return p;
}

// x = k ln 2 + r.
F64Math::Reduced F64Math::reduce_ln2(const Expr& x) {
  const Expr biased = hoist_("t", mul_add(x, num(x, 1.4426950408889634), num(x, kMagic)));
  const Expr k = hoist_("k", biased - num(x, kMagic));
  return {biased, hoist_("r", mul_add(k, num(x, -kLn2Low), mul_add(k, num(x, -kLn2High), x)))};
}

Expr F64Math::exp_minus_1(const Expr& r) { return mul_add(polynomial(kExp, r), r * r, r); }

Expr F64Math::scale(const Expr& x, const Reduced& reduced, double lowest, double highest) {
  const DType t = x.dtype(), i = int_like(t);
  const Expr y = num(x, 1) + exp_minus_1(reduced.r);
  // The bias 0x4338000000000000 vanishes in the shift.
  const Expr value = reinterpret(t, bits_of(y) + (bits_of(reduced.biased) << imm(i, 52)));
  const Expr bounded = select(x < num(x, lowest), num(x, 0), value);
  return select(x <= num(x, highest), bounded, x + num(x, kInf));
}

Expr F64Math::exp(const Expr& x) { return scale(x, reduce_ln2(x), -708.39641853226408, 709.78271289338397); }

Expr F64Math::exp2(const Expr& x) {
  const Expr biased = hoist_("t", x + num(x, kMagic));
  const Expr r = hoist_("r", (x - (biased - num(x, kMagic))) * num(x, 0.69314718055994531));
  return scale(x, {biased, r}, -1022, 1023.9999999999999);
}

Expr F64Math::log(const Expr& x) {
  const DType t = x.dtype(), i = int_like(t);
  const Expr tiny = hoist_("tiny", x < num(x, 2.2250738585072014e-308));
  const Expr bits = hoist_("bits", bits_of(select(tiny, x * num(x, 18014398509481984.0), x)));  // * 2^54
  const Expr e = hoist_("e", (bits - imm(i, 0x3fe6a09e667f3bcd)) >> imm(i, 52));                // sqrt(1/2)
  const Expr f = hoist_("f", reinterpret(t, bits - (e << imm(i, 52))) - num(x, 1));
  const Expr k = hoist_("k", cast(t, e) - select(tiny, num(x, 54), num(x, 0)));
  const Expr s = hoist_("s", f / (f + num(x, 2)));
  const Expr z = hoist_("z", s * s);
  const Expr half = hoist_("half", num(x, 0.5) * f * f);
  // 2 s = f - s f and f - f^2/2 + s (f^2/2) = 2 s exactly: written so, the large term f is added last.
  const Expr small = s * (half + z * polynomial(kLog, z)) + k * num(x, kLn2Low);
  const Expr y = k * num(x, kLn2High) - ((half - small) - f);
  Expr result = select(x < num(x, kInf), y, x);
  result = select(x < num(x, 0), num(x, std::nan("")), result);
  return select(eq(x, num(x, 0)), num(x, -kInf), result);
}

// tanh a = m / (m + 2) with m = e^2a - 1, which keeps its digits near 0.
Expr F64Math::tanh(const Expr& x) {
  const DType t = x.dtype(), i = int_like(t);
  const Expr sign = bits_of(x) & imm(i, std::numeric_limits<int64_t>::min());
  const Expr a = hoist_("a", reinterpret(t, bits_of(x) & imm(i, std::numeric_limits<int64_t>::max())));
  const Expr a2 = hoist_("a2", select(a > num(x, 20), num(x, 40), a + a));
  const Reduced reduced = reduce_ln2(a2);
  const Expr power = hoist_("power", reinterpret(t, bits_of(num(x, 1)) + (bits_of(reduced.biased) << imm(i, 52))));
  const Expr m = hoist_("m", mul_add(power, exp_minus_1(reduced.r), power - num(x, 1)));
  return reinterpret(t, bits_of(m / (m + num(x, 2))) | sign);
}

Expr F64Math::sin_cos(const Expr& x, int quadrant) {
  const DType i = int_like(x.dtype());
  const Expr biased = hoist_("t", x * num(x, 0.63661977236758134) + num(x, kMagic));
  const Expr k = hoist_("k", biased - num(x, kMagic));
  const Expr r = hoist_("r", ((x - k * num(x, kHalfPi1)) - k * num(x, kHalfPi2)) - k * num(x, kHalfPi3));
  const Expr z = hoist_("z", r * r);
  const Expr sine = mul_add(r * z, polynomial(kSin, z), r);
  // 1 - z/2 rounds; what it lost is added to the rest.
  const Expr half = hoist_("half", num(x, 0.5) * z);
  const Expr w = hoist_("w", num(x, 1) - half);
  const Expr cosine = w + (((num(x, 1) - w) - half) + z * z * polynomial(kCos, z));
  const Expr q = hoist_("q", bits_of(biased) + imm(i, quadrant));
  const Expr value = hoist_("v", select(ne(q & imm(i, 1), imm(i, 0)), cosine, sine));
  const Expr result = select(ne(q & imm(i, 2), imm(i, 0)), -value, value);
  const Expr in_range = logical_and(x<num(x, 1048576), x> num(x, -1048576));
  return select(in_range, result, num(x, std::nan("")));
}

}  // namespace mlc::lower
