#include "lower/sum_in_i16.h"

#include <map>
#include <optional>

#include "arith/simplify.h"
#include "ir/intrinsics.h"
#include "ir/loop_hints.h"
#include "ir/visit.h"
#include "lower/legalize_dot.h"
#include "lower/unrolled_nest.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

constexpr int64_t kStepsOfALoad = 2;  // low and high halves of the same bytes
constexpr int64_t kMaxI16 = 32767;

// The largest byte that e can have, if it ends with a mask.
int64_t largest_byte(const Expr& e) {
  if (const auto* r = as<Reinterpret>(e)) return largest_byte(r->a);
  const auto* b = as<Binary>(e);
  if (!b || b->op != BinaryOp::kAnd) return 255;
  const auto* all = as<Broadcast>(b->b);
  const int64_t* mask = as_const_int(all ? all->a : b->b);
  if (!mask) return 255;
  int64_t largest = 0;
  for (int shift = 0; shift < 32; shift += 8) largest = std::max(largest, (*mask >> shift) & 255);
  return largest;
}

// The two parts that e is the sum of, side by side in one buffer: where they are. Also of a broadcast of it.
const Load* two_parts(const Expr& e) {
  const auto* all = as<Broadcast>(e);
  const auto* sum = as<Binary>(all ? all->a : e);
  if (!sum || sum->op != BinaryOp::kAdd) return nullptr;
  const auto part = [](const Expr& x) -> const Load* {
    const auto* wide = as<Cast>(x);
    const auto* l = wide ? as<Load>(wide->a) : nullptr;
    return l && !l->predicate && l->buffer->dtype == DType::i16() && wide->a.dtype().lanes == 1 ? l : nullptr;
  };
  const Load *a = part(sum->a), *b = part(sum->b);
  if (!a || !b || a->buffer != b->buffer) return nullptr;
  for (size_t i = 0; i + 1 < a->indices.size(); ++i) {
    if (!equal(a->indices[i], b->indices[i])) return nullptr;
  }
  const Expr apart = arith::simplify(b->indices.back() - a->indices.back());
  return as_const_int(apart) && *as_const_int(apart) == 1 ? a : nullptr;
}

class I16Summer : public Mutator {
 public:
  explicit I16Summer(bool halves_fit) : halves_fit_(halves_fit) {}

  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    if (as<For>(s)) {
      if (const auto nest = unrolled_nest(s); nest && fits(*nest)) return summed(*nest, {});
    }
    const Seq* all = as<Seq>(s);
    if (!all) return Mutator::mutate(s);
    std::vector<Stmt> out;
    for (size_t i = 0; i < all->stmts.size(); ++i) {
      const auto nest = i + 1 < all->stmts.size() ? unrolled_nest(all->stmts[i + 1]) : std::nullopt;
      if (nest && fits(*nest) && starts(all->stmts[i], nest->store.buffer)) {
        const Stmt& start = all->stmts[i++];
        out.push_back(summed(*nest, {start, halves_fit_ ? parts_at_start(*unrolled_nest(start), *nest) : Expr()}));
      } else {
        out.push_back(mutate(all->stmts[i]));
      }
    }
    return seq(std::move(out));
  }

 private:
  // No sum of the loop leaves 16 bits.
  static bool fits(const Nest& n) {
    const Call* c = dot_of(n, "dot4_u7s8");
    return c && n.store.value.dtype().lanes % kWidth == 0 &&
           *as_const_int(n.loops[0].extent) * 2 * largest_byte(c->args[1]) * 128 <= kMaxI16;
  }

  // Whether `s` does nothing but fill `sums`, with what does not depend on them.
  static bool starts(const Stmt& s, const Buffer& sums) {
    const auto nest = unrolled_nest(s);
    if (!nest || nest->store.buffer != sums) return false;
    bool apart = true;
    for_each_expr(s, [&](const Expr& e) {
      const auto* l = as<Load>(e);
      apart = apart && !(l && l->buffer == sums);
    });
    return apart;
  }

  // What the sums start with: the statement, and its two 16-bit parts as a word, if it is such a sum.
  struct Start {
    Stmt fill;
    Expr parts;
  };

  // In the variables of n's loops.
  static Expr parts_at_start(const Nest& start, const Nest& n) {
    const Load* first = two_parts(start.store.value);
    if (!first || start.loops.size() + 1 != n.loops.size()) return {};
    std::map<Var, Expr> same;
    for (size_t i = 0; i < start.loops.size(); ++i) {
      const For &a = start.loops[i], &b = n.loops[i + 1];
      if (!equal(a.min, b.min) || !equal(a.extent, b.extent)) return {};
      same[a.var] = Expr(b.var);
    }
    for (size_t i = 0; i < n.store.indices.size(); ++i) {
      if (!equal(substitute(start.store.indices[i], same), n.store.indices[i])) return {};
    }
    std::vector<Expr> at;
    for (const Expr& i : first->indices) at.push_back(substitute(i, same));
    return load_bits(DType::i32(), first->buffer, std::move(at));
  }

  static Stmt summed(const Nest& n, const Start& start) {
    const Parts halves = parts_of(n);
    if (halves.at_once == halves.all) return part(n, 0, halves.all, start);
    std::vector<Stmt> parts;
    if (start.fill && !start.parts) parts.push_back(start.fill);
    for (int h = 0; h < halves.all; ++h) parts.push_back(refresh(part(n, h, h + 1, {{}, start.parts})));
    return seq(std::move(parts));
  }

  // Halves first … end-1 of all sums.
  static Stmt part(const Nest& n, int first, int end, const Start& start) {
    const Call* c = dot_of(n, "dot4_u7s8");
    const DType i16 = DType::i16().with_lanes(2 * kWidth), i32 = DType::i32().with_lanes(kWidth);
    std::vector<Expr> shape, at;
    for (size_t i = 1; i < n.loops.size(); ++i) {
      shape.push_back(n.loops[i].extent);
      at.push_back(Expr(n.loops[i].var) - n.loops[i].min);
    }
    shape.insert(shape.end(), {Expr(end - first), Expr(2 * kWidth)});
    at.resize(at.size() + 2);
    const Buffer pairs = buffer("pairs", DType::i16(), shape, Scope::kLocal);
    std::vector<Stmt> clear, add, widen;
    for (int h = first; h < end; ++h) {
      const int begin = h * kWidth;
      at[at.size() - 2] = h - first;
      at.back() = ramp(0, 1, 2 * kWidth);
      const Expr products = call(i16, "x86.pmaddubsw.256",
                                 {reinterpret(DType::u8().with_lanes(4 * kWidth), narrow(c->args[1], begin)),
                                  reinterpret(DType::i8().with_lanes(4 * kWidth), narrow(c->args[2], begin))});
      clear.push_back(store(pairs, at, start.parts ? reinterpret(i16, broadcast(start.parts, kWidth)) : imm(i16, 0)));
      add.push_back(store(pairs, at, load(pairs, at) + products));
      const std::vector<Expr> to = narrow_indices(n.store.indices, begin);
      const Expr sum = call(i32, "x86.pmaddwd.256", {load(pairs, at), imm(i16, 1)});
      widen.push_back(store(n.store.buffer, to, start.parts ? sum : load(n.store.buffer, to) + sum));
    }
    // refresh: the same loops, three times.
    const Stmt steps = kept_steps(n.loops[0], kStepsOfALoad, wrap(n.loops, 1, seq(std::move(add))));
    std::vector<Stmt> all = {refresh(wrap(n.loops, 1, seq(std::move(clear)))), steps};
    if (start.fill && !start.parts) all.push_back(start.fill);  // here, it takes no registers before
    all.push_back(refresh(wrap(n.loops, 1, seq(std::move(widen)))));
    return allocate(pairs, seq(std::move(all)));
  }
  const bool halves_fit_;
};

}  // namespace

bool sums_in_i16(const target::Target& target) {
  return has_instruction(target, "x86.pmaddubsw.256") && !has_instruction(target, "x86.vpdpbusd.256") &&
         !has_instruction(target, "x86.vpdpbusd.512");
}

PrimFunc sum_in_i16(const PrimFunc& f, const target::Target& target) {
  if (!sums_in_i16(target)) return f;
  PrimFunc result = f;
  result.body = I16Summer(f.attrs.count(kHalvesFitKey) > 0).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
