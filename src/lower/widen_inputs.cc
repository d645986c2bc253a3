#include "lower/widen_inputs.h"

#include <optional>

#include "arith/simplify.h"
#include "ir/visit.h"
#include "lower/sum_in_i16.h"
#include "lower/unrolled_nest.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

constexpr int kPairs = 2 * kWidth;  // i16 lanes
const DType kI32 = DType::i32().with_lanes(kWidth), kI16 = DType::i16().with_lanes(kPairs),
            kU16 = DType::u16().with_lanes(kPairs);

// A sum whose inputs are words x[…, base + s] for its steps s, the same for all lanes.
struct Sum {
  Nest nest;
  Expr weights;
  const Load* inputs;
  Expr base;               // the last index of `inputs` at the first step
  std::vector<For> loops;  // those of the nest that the inputs depend on, without the steps
};

std::optional<Sum> sum_of(const Stmt& s) {
  const auto nest = unrolled_nest(s);
  const Call* c = nest ? dot_of(*nest, "dot4_u8s8") : nullptr;
  if (!c || nest->store.value.dtype().lanes % kWidth != 0) return std::nullopt;
  const For& steps = nest->loops[0];
  const auto* all = as<Broadcast>(c->args[2]);
  const auto* x = all ? as<Load>(all->a) : nullptr;
  if (!x || x->predicate || x->buffer->dtype != DType::i32() || *as_const_int(steps.extent) % kWidth != 0) {
    return std::nullopt;
  }
  for (size_t i = 0; i + 1 < x->indices.size(); ++i) {
    if (uses_var(x->indices[i], steps.var)) return std::nullopt;
  }
  const Expr base = substitute(x->indices.back(), {{steps.var, steps.min}});
  if (!equal(arith::simplify(x->indices.back() - base), arith::simplify(Expr(steps.var) - steps.min))) {
    return std::nullopt;
  }
  Sum sum{*nest, c->args[1], x, base, {}};
  for (size_t i = 1; i < nest->loops.size(); ++i) {
    if (uses_var(c->args[2], nest->loops[i].var)) sum.loops.push_back(nest->loops[i]);
  }
  return sum;
}

class InputWidener : public Mutator {
 public:
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const auto sum = as<For>(s) ? sum_of(s) : std::nullopt;
    return sum ? summed(*sum) : Mutator::mutate(s);
  }

 private:
  static Stmt summed(const Sum& sum) {
    const Nest& n = sum.nest;
    const int64_t words = *as_const_int(n.loops[0].extent);
    std::vector<Expr> shape;
    for (const For& loop : sum.loops) shape.push_back(loop.extent);
    shape.insert(shape.end(), {Expr(2), Expr(2 * words)});
    const Buffer wide = buffer("wide", DType::i16(), shape, Scope::kLocal);
    std::vector<Stmt> all = {refresh(wrap(sum.loops, 0, widened(sum, wide, words)))};
    const Parts halves = parts_of(n);
    for (int first = 0; first < halves.all; first += halves.at_once) {
      std::vector<Stmt> add;
      for (int h = first; h < first + halves.at_once; ++h) add.push_back(added(sum, wide, h * kWidth));
      all.push_back(refresh(kept_steps(n.loops[0], 1, wrap(n.loops, 1, seq(std::move(add))))));
    }
    return allocate(wide, seq(std::move(all)));
  }

  static std::vector<Expr> place(const Sum& sum, int parity, const Expr& lane) {
    std::vector<Expr> at;
    for (const For& loop : sum.loops) at.push_back(Expr(loop.var) - loop.min);
    at.insert(at.end(), {Expr(parity), lane});
    return at;
  }

  // One row's inputs: bytes 0 and 2 of each word, and bytes 1 and 3.
  static Stmt widened(const Sum& sum, const Buffer& wide, int64_t words) {
    std::vector<Stmt> out;
    for (int64_t begin = 0; begin < words; begin += kWidth) {
      std::vector<Expr> from = sum.inputs->indices;
      from.back() = ramp(sum.base + Expr(begin), 1, kWidth);
      const Expr bytes = reinterpret(kI16, load(sum.inputs->buffer, std::move(from)));
      const Expr lanes = ramp(2 * begin, 1, kPairs);
      out.push_back(store(wide, place(sum, 0, lanes), (bytes << imm(kI16, 8)) >> imm(kI16, 8)));
      out.push_back(store(wide, place(sum, 1, lanes), bytes >> imm(kI16, 8)));
    }
    return seq(std::move(out));
  }

  // Eight lanes of a step.
  static Stmt added(const Sum& sum, const Buffer& wide, int begin) {
    const Nest& n = sum.nest;
    const Expr step = Expr(n.loops[0].var) - n.loops[0].min;
    const Expr w = reinterpret(kU16, narrow(sum.weights, begin));
    const auto products = [&](const Expr& weights, int parity) {
      const Expr word = load_bits(DType::i32(), wide, place(sum, parity, step * 2));
      return call(kI32, "x86.pmaddwd.256", {reinterpret(kI16, weights), reinterpret(kI16, broadcast(word, kWidth))});
    };
    const std::vector<Expr> to = narrow_indices(n.store.indices, begin);
    const Expr old = load(n.store.buffer, to);
    return store(n.store.buffer, to, (old + products(w & imm(kU16, 255), 0)) + products(w >> imm(kU16, 8), 1));
  }
};

}  // namespace

PrimFunc widen_inputs(const PrimFunc& f, const target::Target& target) {
  if (!sums_in_i16(target)) return f;
  PrimFunc result = f;
  result.body = InputWidener().mutate(f.body);
  return result;
}

}  // namespace mlc::lower
