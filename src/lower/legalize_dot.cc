#include "lower/legalize_dot.h"

#include <numeric>

#include "ir/intrinsics.h"
#include "lower/let_hoister.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

class DotLegalizer : public LetHoister {
 public:
  explicit DotLegalizer(const target::Target& target) : target_(target) {}

  using LetHoister::mutate;
  Expr mutate(const Expr& e) override {
    Expr r = LetHoister::mutate(e);
    const Call* c = as<Call>(r);
    if (c && c->intrinsic == "dot2_bf16") return dot_bf16(c->args[0], c->args[1], c->args[2]);
    if (!c || (c->intrinsic != "dot4_u8s8" && c->intrinsic != "dot4_u7s8")) return r;
    return dot(c->args[0], c->args[1], c->args[2], c->intrinsic == "dot4_u7s8");
  }

 private:
  bool has(const char* instruction) const { return has_instruction(target_, instruction); }

  // Lanes begin … begin+lanes-1 of e.
  static Expr slice(const Expr& e, int begin, int lanes) {
    if (e.dtype().lanes == lanes) return e;
    if (const Broadcast* b = as<Broadcast>(e)) return broadcast(b->a, lanes);
    std::vector<int> indices(static_cast<size_t>(lanes));
    std::iota(indices.begin(), indices.end(), begin);
    return shuffle({e}, std::move(indices));
  }

  // The widest piece, at most `lanes` lanes, that one instruction does; 0: none.
  int piece(int lanes, bool small) const {
    if (lanes >= 16 && has("x86.vpdpbusd.512")) return 16;
    if (lanes >= 8 && (has("x86.vpdpbusd.256") || has("x86.pmaddwd.256"))) return 8;
    if (lanes >= 4 && (has("x86.vpdpbusd.128") || has("arm.usdot") || (small && has("arm.sdot")))) return 4;
    return 0;
  }

  Expr dot(const Expr& acc, const Expr& a, const Expr& b, bool small) {
    const int lanes = acc.dtype().lanes;
    const int width = piece(lanes, small);
    if (width == lanes) return one(acc, a, b, small);
    if (width == 0) return portable(acc, a, b);
    const Expr whole[] = {hoist("acc", acc), keep("a", a), keep("b", b)};
    std::vector<Expr> parts;
    for (int begin = 0; begin < lanes;) {
      const int step = std::max(piece(lanes - begin, small), std::min(lanes - begin, 1));
      parts.push_back(
          dot(slice(whole[0], begin, step), slice(whole[1], begin, step), slice(whole[2], begin, step), small));
      begin += step;
    }
    std::vector<int> order(static_cast<size_t>(lanes));
    std::iota(order.begin(), order.end(), 0);
    return shuffle(std::move(parts), std::move(order));
  }
  Expr keep(const char* name, const Expr& e) { return as<Broadcast>(e) ? e : hoist(name, e); }

  // 4, 8 or 16 lanes by one instruction or two.
  Expr one(const Expr& acc, const Expr& a, const Expr& b, bool small) {
    const int lanes = acc.dtype().lanes;
    if (lanes == 16) return call(acc.dtype(), "x86.vpdpbusd.512", {acc, a, b});
    if (lanes == 8) {
      if (has("x86.vpdpbusd.256")) return call(acc.dtype(), "x86.vpdpbusd.256", {acc, a, b});
      return small ? avx2_small(acc, a, b) : avx2(acc, a, b);
    }
    if (has("x86.vpdpbusd.128")) return call(acc.dtype(), "x86.vpdpbusd.128", {acc, a, b});
    const DType i8 = DType::i8().with_lanes(16), u8 = DType::u8().with_lanes(16);
    if (has("arm.usdot")) return call(acc.dtype(), "arm.usdot", {acc, reinterpret(u8, a), reinterpret(i8, b)});
    return call(acc.dtype(), "arm.sdot", {acc, reinterpret(i8, a), reinterpret(i8, b)});
  }

  // Bytes below 128: the sum of two products fits an i16, so that pmaddubsw does not saturate.
  static Expr avx2_small(const Expr& acc, const Expr& a, const Expr& b) {
    const DType i16 = DType::i16().with_lanes(16);
    const Expr pairs = call(i16, "x86.pmaddubsw.256",
                            {reinterpret(DType::u8().with_lanes(32), a), reinterpret(DType::i8().with_lanes(32), b)});
    return acc + call(acc.dtype(), "x86.pmaddwd.256", {pairs, imm(i16, 1)});
  }

  // Any bytes: even and odd ones as i16, exact products, sums of two in i32.
  Expr avx2(const Expr& acc, const Expr& a0, const Expr& b0) {
    const DType i16 = DType::i16().with_lanes(16), u16 = DType::u16().with_lanes(16);
    const Expr a = hoist("a", reinterpret(u16, a0)), b = hoist("b", reinterpret(i16, b0));
    const Expr even =
        call(acc.dtype(), "x86.pmaddwd.256", {reinterpret(i16, a & imm(u16, 255)), (b << imm(i16, 8)) >> imm(i16, 8)});
    const Expr odd = call(acc.dtype(), "x86.pmaddwd.256", {reinterpret(i16, a >> imm(u16, 8)), b >> imm(i16, 8)});
    return (acc + even) + odd;
  }

  Expr portable(const Expr& acc, const Expr& a0, const Expr& b0) {
    const DType t = acc.dtype();
    const Expr a = hoist("a", a0), b = hoist("b", b0);
    Expr sum = acc;
    for (int j = 0; j < 4; ++j) {
      sum = sum + ((a >> imm(t, 8 * j)) & imm(t, 255)) * ((b << imm(t, 24 - 8 * j)) >> imm(t, 24));
    }
    return sum;
  }

  // By one instruction, or by two multiply-adds per lane: the products are exact, so that both round alike.
  Expr dot_bf16(const Expr& acc, const Expr& a0, const Expr& b0) {
    const DType f = acc.dtype(), u = a0.dtype();
    const DType halves = DType::bf16().with_lanes(2 * f.lanes);
    if (f.lanes == 16 && has("x86.vdpbf16ps.512")) {
      return call(f, "x86.vdpbf16ps.512", {acc, reinterpret(halves, a0), reinterpret(halves, b0)});
    }
    if (f.lanes == 8 && has("x86.vdpbf16ps.256")) {
      return call(f, "x86.vdpbf16ps.256", {acc, reinterpret(halves, a0), reinterpret(halves, b0)});
    }
    const Expr a = hoist("a", a0), b = hoist("b", b0);
    const auto high = [&](const Expr& e) { return reinterpret(f, (e >> imm(u, 16)) << imm(u, 16)); };
    const auto low = [&](const Expr& e) { return reinterpret(f, e << imm(u, 16)); };
    return fma(low(a), low(b), fma(high(a), high(b), acc));
  }

  const target::Target& target_;
};

}  // namespace

bool has_instruction(const target::Target& target, const char* instruction) {
  const HwInstruction* hw = find_instruction(instruction);
  MLC_CHECK(hw, "no instruction {}", instruction);
  return target.is_cpu() && feature_satisfied(hw->feature, [&](std::string_view f) { return target.has(f); });
}

PrimFunc legalize_dot(const PrimFunc& f, const target::Target& target) {
  PrimFunc result = f;
  result.body = DotLegalizer(target).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
