#include "lower/expand_math.h"

#include <cmath>
#include <limits>

#include "lower/let_hoister.h"
#include "lower/math_f64.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

// The polynomials are minimax fits (Remez) of our own, in the weights that make the final relative error smallest.
// e^r = 1 + r + r^2 P(r), |r| <= ln(2)/2; error 3e-9.
constexpr double kExp[] = {4.999999345e-01, 1.666652069e-01, 4.166838736e-02, 8.368709824e-03, 1.381461326e-03};
// tanh x = x + x z P(z), z = x^2, |x| <= 0.625; error 4e-9.
constexpr double kTanh[] = {-3.333328393e-01, 1.333149129e-01, -5.374349808e-02, 2.065058730e-02, -5.717045064e-03};
// log(1 + f) = f - f^2/2 + f^3 P(f), sqrt(1/2) <= 1 + f <= sqrt(2); error 6e-9.
constexpr double kLog[] = {3.333333171e-01, -2.500082103e-01, 2.000122686e-01, -1.662335741e-01,
                           1.420175835e-01, -1.316018216e-01, 1.276157455e-01, -7.634493991e-02};
// sin r = r + r z P(z), cos r = 1 - z/2 + z^2 Q(z), z = r^2, |r| <= pi/4, in f64; errors 5e-12 and 1e-13.
constexpr double kSin[] = {-1.66666666416269649e-01, 8.33332938594153437e-03, -1.98393348531486274e-04,
                           2.71831165925953802e-06};
constexpr double kCos[] = {4.16666666228281690e-02, -1.38888837534255284e-03, 2.47995200137886834e-05,
                           -2.72102382403395808e-07};
// ln 2 in two parts; the first has 10 bits, so that its product with a small integer is exact. pi/2 likewise (25 bits).
constexpr double kLn2High = 0.693359375, kLn2Low = -2.12194440054713773e-04;
constexpr double kHalfPiHigh = 1.57079631090164185, kHalfPiLow = 1.58932547735281961e-08;

class MathExpander : public LetHoister {
 public:
  explicit MathExpander(const target::Target& target) : target_(target) {}

  using LetHoister::mutate;
  Expr mutate(const Expr& e) override {
    const Expr r = LetHoister::mutate(e);
    const Call* c = as<Call>(r);
    if (!c) return r;
    const DType t = r.dtype();
    const bool f32 = t.is_float() && t.bits == 32;
    if (f32 && target_.is_cpu()) {
      if (c->intrinsic == "exp") return expand_exp(hoist("x", c->args[0]));
      if (c->intrinsic == "exp2") return expand_exp2(hoist("x", c->args[0]));
      if (c->intrinsic == "log") return expand_log(hoist("x", c->args[0]));
      if (c->intrinsic == "tanh") return expand_tanh(hoist("x", c->args[0]));
      if (c->intrinsic == "sin") return expand_sin_cos(hoist("x", c->args[0]), 0);
      if (c->intrinsic == "cos") return expand_sin_cos(hoist("x", c->args[0]), 1);
      if (c->intrinsic == "fma" && !target_.has_fma()) {
        return expand_fma(hoist("a", c->args[0]), hoist("b", c->args[1]), hoist("c", c->args[2]));
      }
    }
    if (t == DType::f64().with_lanes(t.lanes) && target_.is_cpu()) {
      const Expr wide = expand_f64(*c);
      if (wide) return wide;
    }
    if (t == DType::f64().with_lanes(t.lanes) && target_.is_cpu() && c->intrinsic == "fma" && !target_.has_fma()) {
      return expand_fma64(hoist("a", c->args[0]), hoist("b", c->args[1]), hoist("c", c->args[2]));
    }
    if (t.is_float() && t.bits >= 32 && !target_.has_rounding()) {
      if (c->intrinsic == "round") return expand_round(hoist("x", c->args[0]));
      if (c->intrinsic == "floor") return expand_floor(hoist("x", c->args[0]));
      if (c->intrinsic == "ceil") return -expand_floor(hoist("x", -c->args[0]));
    }
    return r;
  }

 private:
  // Null: no function of math_f64.h.
  Expr expand_f64(const Call& c) {
    F64Math math(target_.has_fma(), [this](const char* name, const Expr& e) { return hoist(name, e); });
    if (c.intrinsic == "exp") return math.exp(hoist("x", c.args[0]));
    if (c.intrinsic == "exp2") return math.exp2(hoist("x", c.args[0]));
    if (c.intrinsic == "log") return math.log(hoist("x", c.args[0]));
    if (c.intrinsic == "tanh") return math.tanh(hoist("x", c.args[0]));
    if (c.intrinsic == "sin") return math.sin(hoist("x", c.args[0]));
    if (c.intrinsic == "cos") return math.cos(hoist("x", c.args[0]));
    return {};
  }

  // a * b + c, in one rounding where that is one instruction; where it is not, two roundings do.
  Expr mul_add(const Expr& a, const Expr& b, const Expr& c) const {
    return target_.has_fma() ? fma(a, b, c) : a * b + c;
  }

  // Horner's scheme.
  template <size_t N>
  Expr polynomial(const double (&c)[N], const Expr& x) {
    Expr p = fimm(x.dtype(), c[N - 1]);
    for (size_t i = N - 1; i-- > 0;) p = mul_add(p, x, fimm(x.dtype(), c[i]));
    return p;
  }

  static DType int_like(DType t) { return (t.bits == 64 ? DType::i64() : DType::i32()).with_lanes(t.lanes); }
  static Expr bits_of(const Expr& x) { return reinterpret(int_like(x.dtype()), x); }

  // 2^k * e^r, where the low bits of `biased` (1.5 * 2^23 + k as a float) hold k; 0 below, inf above.
  Expr scale(const Expr& x, const Expr& r, const Expr& biased, double lowest, double highest) {
    const DType t = x.dtype();
    const Expr square = hoist("r2", r * r);
    const Expr y = fimm(t, 1.0) + mul_add(polynomial(kExp, r), square, r);
    const DType i = int_like(t);
    // The bias 0x4b400000 vanishes in the shift: its low 9 bits are 0.
    const Expr value = reinterpret(t, bits_of(y) + (bits_of(biased) << imm(i, 23)));
    const Expr bounded = select(x < fimm(t, lowest), fimm(t, 0.0), value);
    // Above: x + inf, which is NaN where x is.
    return select(x <= fimm(t, highest), bounded, x + fimm(t, std::numeric_limits<double>::infinity()));
  }

  Expr expand_exp(const Expr& x) {
    const DType t = x.dtype();
    const Expr magic = fimm(t, 12582912.0);  // 1.5 * 2^23: adding it rounds to an integer
    const Expr biased = hoist("t", mul_add(x, fimm(t, 1.4426950408889634), magic));
    const Expr k = hoist("k", biased - magic);
    const Expr high = mul_add(k, fimm(t, -kLn2High), x);
    const Expr r = hoist("r", mul_add(k, fimm(t, -kLn2Low), high));
    return scale(x, r, biased, -87.33654475, 88.72283173);
  }

  Expr expand_exp2(const Expr& x) {
    const DType t = x.dtype();
    const Expr magic = fimm(t, 12582912.0);
    const Expr biased = hoist("t", x + magic);
    const Expr r = hoist("r", (x - (biased - magic)) * fimm(t, 0.6931471805599453));
    return scale(x, r, biased, -126.0, 127.99999237);
  }

  Expr expand_log(const Expr& x) {
    const DType t = x.dtype(), i = int_like(t);
    const Expr tiny = hoist("tiny", x < fimm(t, 1.17549435e-38));  // denormals are scaled by 2^25
    const Expr scaled = hoist("xs", select(tiny, x * fimm(t, 33554432.0), x));
    const Expr bits = hoist("bits", bits_of(scaled));
    // x = m * 2^e with sqrt(1/2) <= m < sqrt(2); 0x3f3504f3 is sqrt(1/2).
    const Expr e = hoist("e", (bits - imm(i, 0x3f3504f3)) >> imm(i, 23));
    const Expr f = hoist("f", reinterpret(t, bits - (e << imm(i, 23))) - fimm(t, 1.0));
    const Expr k = hoist("k", cast(t, e) - select(tiny, fimm(t, 25.0), fimm(t, 0.0)));
    const Expr z = hoist("z", f * f);
    const Expr small = mul_add(k, fimm(t, kLn2Low), polynomial(kLog, f) * z * f);
    const Expr y = mul_add(k, fimm(t, kLn2High), f + mul_add(z, fimm(t, -0.5), small));
    const double inf = std::numeric_limits<double>::infinity();
    Expr result = select(x < fimm(t, inf), y, x);  // inf and NaN stay
    result = select(x < fimm(t, 0.0), fimm(t, std::nan("")), result);
    return select(eq(x, fimm(t, 0.0)), fimm(t, -inf), result);
  }

  Expr expand_tanh(const Expr& x) {
    const DType t = x.dtype(), i = int_like(t);
    const Expr a = hoist("a", reinterpret(t, bits_of(x) & imm(i, 0x7fffffff)));
    const Expr z = hoist("z", x * x);
    const Expr near = mul_add(polynomial(kTanh, z) * z, x, x);
    const Expr s = expand_exp(hoist("a2", a + a));
    const Expr far = fimm(t, 1.0) - fimm(t, 2.0) / (s + fimm(t, 1.0));
    const Expr sign = bits_of(x) & imm(i, std::numeric_limits<int32_t>::min());
    return select(a < fimm(t, 0.625), near, reinterpret(t, bits_of(far) | sign));
  }

  // x = k * pi/2 + r; by k mod 4 it is sin or cos of r with a sign. quadrant 1 turns sin into cos.
  Expr expand_sin_cos(const Expr& x, int quadrant) {
    const DType t = x.dtype(), wide = DType::f64().with_lanes(t.lanes), i = int_like(wide);
    const Expr xw = hoist("xw", cast(wide, x));
    const Expr magic = fimm(wide, 6755399441055744.0);  // 1.5 * 2^52
    const Expr biased = hoist("t", xw * fimm(wide, 0.63661977236758134) + magic);
    const Expr k = hoist("k", biased - magic);
    const Expr r = hoist("r", (xw - k * fimm(wide, kHalfPiHigh)) - k * fimm(wide, kHalfPiLow));
    const Expr z = hoist("z", r * r);
    const Expr sine = r + r * z * polynomial(kSin, z);
    const Expr cosine = fimm(wide, 1.0) + z * (fimm(wide, -0.5) + z * polynomial(kCos, z));
    const Expr q = hoist("q", bits_of(biased) + imm(i, quadrant));
    const Expr odd = ne(q & imm(i, 1), imm(i, 0));
    const Expr value = hoist("v", select(odd, cosine, sine));
    const Expr negative = ne(q & imm(i, 2), imm(i, 0));
    const Expr result = cast(t, select(negative, -value, value));
    const Expr in_range = logical_and(x<fimm(t, 268435456.0), x> fimm(t, -268435456.0));
    // sin(-0) = -0, and tiny x are their own sine, whatever the rounding of k did.
    const Expr exact = quadrant == 0 ? select(eq(x, fimm(t, 0.0)), x, result) : result;
    return select(in_range, exact, fimm(t, std::nan("")));
  }

  // Adding and taking away 2^(mantissa bits) rounds to the nearest even integer; larger values are integers already.
  Expr expand_round(const Expr& x) {
    const DType t = x.dtype(), i = int_like(t);
    const Expr big = fimm(t, t.bits == 64 ? 4503599627370496.0 : 8388608.0);
    const Expr mask = imm(i, t.bits == 64 ? std::numeric_limits<int64_t>::max() : 0x7fffffff);
    const Expr a = hoist("a", reinterpret(t, bits_of(x) & mask));
    const Expr rounded = select(a < big, (a + big) - big, a);
    return reinterpret(t, bits_of(rounded) | (bits_of(x) & unary(UnaryOp::kNot, mask)));
  }

  Expr expand_floor(const Expr& x) {
    const DType t = x.dtype();
    const Expr r = hoist("r", expand_round(x));
    return select(r > x, r - fimm(t, 1.0), r);
  }

  // The product is exact in f64. The sum is made odd when it is inexact, so that the second rounding, to f32, rounds
  // the true value (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
  Expr expand_fma(const Expr& a, const Expr& b, const Expr& c) {
    const DType t = a.dtype(), wide = DType::f64().with_lanes(t.lanes);
    const Expr p = hoist("p", cast(wide, a) * cast(wide, b));
    return cast(t, odd_sum(p, hoist("cw", cast(wide, c))));
  }

  // a + b == sum + error exactly (Knuth).
  std::pair<Expr, Expr> two_sum(const Expr& a, const Expr& b) {
    const Expr s = hoist("s", a + b);
    const Expr part = hoist("part", s - a);
    return {s, hoist("error", (a - (s - part)) + (b - part))};
  }

  // a + b in f64, the last bit made odd when it is inexact.
  Expr odd_sum(const Expr& a, const Expr& b) {
    const DType wide = a.dtype(), i = int_like(wide);
    const auto [s, error] = two_sum(a, b);
    const Expr zero_w = fimm(wide, 0.0);
    const Expr bits = hoist("bits", bits_of(s));
    const Expr up = eq(error > zero_w, s > zero_w);
    const Expr odd = bits + select(up, imm(i, 1), imm(i, -1));
    const Expr inexact = logical_or(error > zero_w, error < zero_w);  // false for NaN
    const Expr adjust = logical_and(inexact, eq(bits & imm(i, 1), imm(i, 0)));
    return reinterpret(wide, select(adjust, odd, bits));
  }

  // The high half of x (Veltkamp): products of halves are exact.
  Expr high_half(const Expr& x) {
    const Expr scaled = hoist("scaled", x * fimm(x.dtype(), 134217729.0));  // 2^27 + 1
    return hoist("high", scaled - (scaled - x));
  }

  // f64 alone: the product as a sum of two (Dekker), then a sum of three with one rounding (Boldo and Melquiond). Exact
  // unless the parts overflow or underflow; where they overflow, two roundings do.
  Expr expand_fma64(const Expr& a, const Expr& b, const Expr& c) {
    const DType t = a.dtype();
    const Expr p = hoist("p", a * b);
    const Expr ah = high_half(a), bh = high_half(b);
    const Expr al = hoist("al", a - ah), bl = hoist("bl", b - bh);
    const Expr low = hoist("low", ((ah * bh - p) + ah * bl + al * bh) + al * bl);
    const auto [u, u_error] = two_sum(c, low);
    const auto [v, v_error] = two_sum(p, u);
    const Expr exact = hoist("exact", v + odd_sum(v_error, u_error));
    const Expr finite = eq(exact - exact, fimm(t, 0.0));
    return select(finite, exact, p + c);
  }

  const target::Target& target_;
};

}  // namespace

PrimFunc expand_math(const PrimFunc& f, const target::Target& target) {
  PrimFunc result = f;
  result.body = MathExpander(target).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
