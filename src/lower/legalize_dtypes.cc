#include "lower/legalize_dtypes.h"

#include "ir/intrinsics.h"
#include "lower/let_hoister.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

bool is_half(DType t) { return t.is_float() && t.bits == 16; }

class DtypeLegalizer : public LetHoister {
 public:
  explicit DtypeLegalizer(const target::Target& target) : target_(target) {}

  using LetHoister::mutate;
  Expr mutate(const Expr& e) override {
    const Expr r = LetHoister::mutate(e);
    if (!r) return r;
    if (const Unary* u = as<Unary>(r); u && is_half(r.dtype())) return flip_sign(u->a);
    if (const Binary* b = as<Binary>(r); b && is_half(b->a.dtype())) {
      const Expr wide = binary(b->op, widen(b->a), widen(b->b));
      return wide.dtype().is_bool() ? wide : narrow(r.dtype(), wide);
    }
    if (const Cast* c = as<Cast>(r)) return legalize_cast(r, c->a);
    if (const VectorReduce* v = as<VectorReduce>(r); v && is_half(r.dtype())) return reduce(*v);
    if (const Call* c = as<Call>(r); c && is_half(r.dtype()) && find_math(c->intrinsic)) {
      std::vector<Expr> args;
      for (const Expr& a : c->args) args.push_back(widen(a));
      return narrow(r.dtype(), call(f32_like(r.dtype()), c->intrinsic, args));
    }
    return r;
  }

 private:
  static DType f32_like(DType t) { return DType::f32().with_lanes(t.lanes); }
  static DType u16_like(DType t) { return DType::u16().with_lanes(t.lanes); }
  static DType u32_like(DType t) { return DType::u32().with_lanes(t.lanes); }

  static Expr flip_sign(const Expr& a) {
    const DType u = u16_like(a.dtype());
    return reinterpret(a.dtype(), reinterpret(u, a) ^ imm(u, 0x8000));
  }

  Expr legalize_cast(const Expr& e, const Expr& a) {
    const DType to = e.dtype(), from = a.dtype();
    if (!is_half(to) && !is_half(from)) return e;
    if (is_half(from)) {
      const Expr wide = widen(a);
      return is_half(to) ? narrow(to, wide) : cast(to, wide);
    }
    if (from.is_float() && from.bits == 32) return narrow(to, a);
    const bool exact = from.is_bool() || (from.is_any_int() && from.bits <= 16);
    if (exact) return narrow(to, cast(f32_like(to), a));
    return narrow(to, to_odd(cast(DType::f64().with_lanes(to.lanes), fits_f64(a))));
  }

  // 64-bit integers beyond 2^53 lose their low 12 bits; a bit that stays says that there were any, which is all that a
  // rounding to 16 bits needs to know.
  Expr fits_f64(const Expr& a) {
    const DType t = a.dtype();
    if (t.bits != 64 || t.is_float()) return a;
    const Expr v = hoist("i", a);
    const Expr limit = imm(t, int64_t{1} << 53);
    Expr small = v < limit;
    if (t.is_int()) small = logical_and(small, v > zero(t) - limit);
    const Expr sticky = select(ne(v & imm(t, 0xfff), zero(t)), imm(t, 0x1000), zero(t));
    return select(small, v, (v & imm(t, ~int64_t{0xfff})) | sticky);
  }

  // f64 -> f32 such that a second rounding to 16 bits gives the correctly rounded result: inexact values become odd.
  Expr to_odd(const Expr& wide) {
    const Expr d = hoist("d", wide);
    const DType f = f32_like(d.dtype()), u = u32_like(d.dtype());
    const Expr nearest = hoist("n", cast(f, d));
    const Expr back = hoist("back", cast(d.dtype(), nearest));
    const Expr bits = reinterpret(u, nearest);
    const DType t = d.dtype();
    const Expr above = hoist("above", select(d > fimm(t, 0.0), back > d, back < d));  // rounded away from zero
    const Expr truncated = select(above, bits - imm(u, 1), bits) | imm(u, 1);
    const Expr inexact = logical_or(back<d, back> d);
    return reinterpret(f, select(inexact, truncated, bits));
  }

  Expr widen(const Expr& a) {
    const DType t = a.dtype(), u = u32_like(t);
    if (t.is_bfloat()) return reinterpret(f32_like(t), cast(u, reinterpret(u16_like(t), a)) << imm(u, 16));
    if (target_.has_f16_conversion()) return cast(f32_like(t), a);
    return widen_f16(a);
  }

  Expr widen_f16(const Expr& a) {
    const DType t = a.dtype(), u = u32_like(t), f = f32_like(t);
    const Expr bits = hoist("h", cast(u, reinterpret(u16_like(t), a)));
    const Expr sign = (bits & imm(u, 0x8000)) << imm(u, 16);
    const Expr magnitude = hoist("m", bits & imm(u, 0x7fff));
    const Expr small = hoist("tiny", reinterpret(u, cast(f, magnitude) * fimm(f, 5.9604644775390625e-08)));  // * 2^-24
    const Expr normal = (magnitude << imm(u, 13)) + imm(u, 112 << 23);
    const Expr special = (magnitude << imm(u, 13)) | imm(u, 0x7f800000);  // infinity and NaN
    Expr value = select(magnitude < imm(u, 0x400), small, normal);
    value = select(magnitude >= imm(u, 0x7c00), special, value);
    return reinterpret(f, value | sign);
  }

  Expr narrow(DType to, const Expr& f) {
    if (to.is_bfloat()) return narrow_bf16(to, f);
    return target_.has_f16_conversion() ? cast(to, f) : narrow_f16(to, f);
  }

  // Round to nearest even by adding half of the last place, less one if that place is even; NaN stays NaN.
  Expr narrow_bf16(DType to, const Expr& f) {
    const DType u = u32_like(to);
    const Expr bits = hoist("b", reinterpret(u, f));
    const Expr rounded = (bits + imm(u, 0x7fff) + ((bits >> imm(u, 16)) & imm(u, 1))) >> imm(u, 16);
    const Expr nan = (bits >> imm(u, 16)) | imm(u, 0x40);
    const Expr is_nan = (bits & imm(u, 0x7fffffff)) > imm(u, 0x7f800000);
    return reinterpret(to, cast(u16_like(to), select(is_nan, nan, rounded)));
  }

  Expr narrow_f16(DType to, const Expr& f) {
    const DType u = u32_like(to), wide = f32_like(to);
    const Expr bits = hoist("b", reinterpret(u, f));
    const Expr magnitude = hoist("m", bits & imm(u, 0x7fffffff));
    const Expr sign = (bits >> imm(u, 16)) & imm(u, 0x8000);
    const Expr normal =
        (magnitude - imm(u, 0x38000000) + imm(u, 0xfff) + ((magnitude >> imm(u, 13)) & imm(u, 1))) >> imm(u, 13);
    // Below 2^-14: adding 0.5, whose last place is 2^-24, rounds where a denormal half rounds.
    const Expr small = reinterpret(u, reinterpret(wide, magnitude) + fimm(wide, 0.5)) - imm(u, 0x3f000000);
    Expr value = select(magnitude < imm(u, 0x38800000), small, normal);
    value = select(magnitude >= imm(u, 0x47800000), imm(u, 0x7c00), value);  // 2^16 and up
    value = select(magnitude > imm(u, 0x7f800000), imm(u, 0x7e00), value);   // NaN
    return reinterpret(to, cast(u16_like(to), value | sign));
  }

  // Lane 0 first, rounded after every step.
  Expr reduce(const VectorReduce& v) {
    const Expr a = hoist("v", v.a);
    const BinaryOp op = v.op == ReduceOp::kAdd   ? BinaryOp::kAdd
                        : v.op == ReduceOp::kMin ? BinaryOp::kMin
                                                 : BinaryOp::kMax;
    Expr sum = shuffle({a}, {0});
    for (int i = 1; i < a.dtype().lanes; ++i) {
      sum = hoist("s", narrow(sum.dtype(), binary(op, widen(sum), widen(shuffle({a}, {i})))));
    }
    return sum;
  }

  const target::Target& target_;
};

}  // namespace

PrimFunc legalize_dtypes(const PrimFunc& f, const target::Target& target) {
  PrimFunc result = f;
  result.body = DtypeLegalizer(target).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
