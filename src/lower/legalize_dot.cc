#include "lower/legalize_dot.h"

#include "ir/visit.h"

namespace mlc::lower {
namespace {

using ir::Expr;

Expr slice(const Expr& v, int first, int lanes) {
  if (v.dtype().lanes == lanes) return v;
  if (const auto* b = ir::as<ir::Broadcast>(v)) return lanes == 1 ? b->a : ir::broadcast(b->a, lanes);
  std::vector<int> indices;
  for (int i = 0; i < lanes; ++i) indices.push_back(first + i);
  return ir::shuffle({v}, indices);
}

Expr join(const std::vector<Expr>& parts) {
  if (parts.size() == 1) return parts[0];
  std::vector<int> indices;
  const int total = parts[0].dtype().lanes * static_cast<int>(parts.size());
  for (int i = 0; i < total; ++i) indices.push_back(i);
  return ir::shuffle(parts, indices);
}

struct Words {
  Expr acc, a, b;  // i32, equal lanes
  int lanes() const { return acc.dtype().lanes; }
};

Expr portable(const Words& w) {
  const DType t = w.acc.dtype();
  Expr sum = w.acc;
  for (int j = 0; j < 4; ++j) {
    Expr u = (w.a >> ir::imm(t, 8 * j)) & ir::imm(t, 255);
    Expr s = (w.b << ir::imm(t, 24 - 8 * j)) >> ir::imm(t, 24);
    sum = sum + u * s;
  }
  return sum;
}

Expr bytes(const Expr& words, DType byte) { return ir::reinterpret(byte.with_lanes(4 * words.dtype().lanes), words); }

Expr vpdpbusd(const Words& w) {
  const std::string name = "x86.vpdpbusd." + std::to_string(32 * w.lanes());
  return ir::call(w.acc.dtype(), name, {w.acc, w.a, w.b});
}

Expr pmadd(const Words& w) {
  Expr pairs =
      ir::call(DType::i16().with_lanes(16), "x86.pmaddubsw.256", {bytes(w.a, DType::u8()), bytes(w.b, DType::i8())});
  Expr ones = ir::imm(DType::i16().with_lanes(16), 1);
  return w.acc + ir::call(w.acc.dtype(), "x86.pmaddwd.256", {pairs, ones});
}

Expr usdot(const Words& w) {
  return ir::call(w.acc.dtype(), "arm.usdot", {w.acc, bytes(w.a, DType::u8()), bytes(w.b, DType::i8())});
}

Expr sdot(const Words& w) {
  return ir::call(w.acc.dtype(), "arm.sdot", {w.acc, bytes(w.a, DType::i8()), bytes(w.b, DType::i8())});
}

// An instruction that fits: its width and how it is called; emit == nullptr for none.
struct Choice {
  int lanes = 0;
  Expr (*emit)(const Words&) = nullptr;
};

Choice choose(const target::Target& t, int lanes, bool u7) {
  if (t.has("avx512vnni") && lanes % 16 == 0) return {16, vpdpbusd};
  const bool vnni256 = t.has("avx512vnni") && t.has("avx512vl");
  if (vnni256 && lanes % 8 == 0) return {8, vpdpbusd};
  if (vnni256 && lanes % 4 == 0) return {4, vpdpbusd};
  if (t.has("avx2") && u7 && lanes % 8 == 0) return {8, pmadd};
  if (t.has("i8mm") && lanes % 4 == 0) return {4, usdot};
  if (t.has("dotprod") && u7 && lanes % 4 == 0) return {4, sdot};
  return {};
}

class Legalizer : public ir::Mutator {
 public:
  explicit Legalizer(const target::Target& t) : target_(t) {}
  using ir::Mutator::mutate;
  Expr mutate(const Expr& e) override {
    Expr r = ir::Mutator::mutate(e);
    const auto* c = ir::as<ir::Call>(r);
    if (c == nullptr || (c->intrinsic != "dot4_u8s8" && c->intrinsic != "dot4_u7s8")) return r;
    const Words whole{c->args[0], c->args[1], c->args[2]};
    const Choice choice = choose(target_, whole.lanes(), c->intrinsic == "dot4_u7s8");
    if (choice.emit == nullptr) return portable(whole);
    std::vector<Expr> parts;
    for (int i = 0; i < whole.lanes(); i += choice.lanes) {
      parts.push_back(choice.emit(
          {slice(whole.acc, i, choice.lanes), slice(whole.a, i, choice.lanes), slice(whole.b, i, choice.lanes)}));
    }
    return join(parts);
  }

 private:
  const target::Target& target_;
};

}  // namespace

ir::PrimFunc legalize_dot(const ir::PrimFunc& f, const target::Target& target) {
  ir::PrimFunc out = f;
  out.body = Legalizer(target).mutate(f.body);
  return out;
}

}  // namespace mlc::lower
