#include "lower/scalarize_vectors.h"

#include <map>

#include "ir/intrinsics.h"
#include "lower/let_hoister.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

class Scalarizer : public LetHoister {
 public:
  explicit Scalarizer(const target::Target& target) : vectors_(target.has_vector_types()) {}

  using LetHoister::mutate;
  // A scalar expression, or a vector one that the target has.
  Expr mutate(const Expr& e) override {
    if (!e) return e;
    if (e.dtype().lanes > 1) {
      // The ramp is the index of a vector that stays.
      MLC_CHECK(spelled(e) || as<Ramp>(e), "a vector in a place that scalarize_vectors does not know");
      return LetHoister::mutate(e);
    }
    if (const VectorReduce* r = as<VectorReduce>(e)) return reduce(*r);
    if (const Shuffle* s = as<Shuffle>(e)) return picked(*s, 0);
    if (const LoadBits* l = as<LoadBits>(e)) return composed(*l, e.dtype(), 0);
    if (const Reinterpret* r = as<Reinterpret>(e); r && r->a.dtype().lanes > 1) return bytes_of(e.dtype(), r->a, 0);
    return LetHoister::mutate(e);
  }

  Stmt mutate(const Stmt& s) override {
    std::map<const ExprNode*, std::pair<Expr, Expr>> outer;
    outer.swap(shared_);
    Stmt r = statement(s);
    shared_.swap(outer);
    return r;
  }

 private:
  Stmt statement(const Stmt& s) {
    if (const Store* st = as<Store>(s)) return store_lanes(s, *st);
    if (const Let* l = as<Let>(s); l && l->var.dtype().lanes > 1 && !spelled(l->value)) return let_lanes(*l);
    if (const Evaluate* e = as<Evaluate>(s); e && e->value.dtype().lanes > 1) return seq({});  // pure
    if (const Prefetch* p = as<Prefetch>(s)) {
      for (const Expr& i : p->indices) {
        if (i.dtype().lanes > 1) return seq({});
      }
    }
    return LetHoister::mutate(s);
  }

  // ---- What a target with vector types has.
  static bool has_lanes(DType t) {
    return t.scalar() == DType::f32() && (t.lanes == 2 || t.lanes == 4 || t.lanes == 8 || t.lanes == 16);
  }

  // The last index is a ramp of stride 1 and the others are scalars.
  static bool contiguous(const std::vector<Expr>& indices) {
    for (size_t i = 0; i + 1 < indices.size(); ++i) {
      if (indices[i].dtype().lanes > 1) return false;
    }
    const Ramp* r = indices.empty() ? nullptr : as<Ramp>(indices.back());
    return r && is_const(r->stride, 1);
  }

  bool spelled(const Expr& e) const {
    if (!vectors_ || !has_lanes(e.dtype())) return false;
    if (const VarRef* v = as<VarRef>(e)) return !lanes_.count(v->var);
    if (as<Broadcast>(e)) return true;
    if (const Load* l = as<Load>(e)) return !l->predicate && contiguous(l->indices);
    if (const Unary* u = as<Unary>(e)) return spelled(u->a);
    if (const Binary* b = as<Binary>(e)) return spelled(b->a) && spelled(b->b);
    if (const Call* c = as<Call>(e)) {
      for (const Expr& a : c->args) {
        if (!spelled(a)) return false;
      }
      return find_math(c->intrinsic) != nullptr;
    }
    return false;
  }

  // ---- Lane i of a vector, as a scalar expression.
  Expr lane(const Expr& e, int i) {
    const DType t = e.dtype().scalar();
    if (e.dtype().lanes == 1) return mutate(e);
    return match(
        e, [&](const IntImm&) -> Expr { MLC_UNREACHABLE("a vector constant is a broadcast"); },
        [&](const FloatImm&) -> Expr { MLC_UNREACHABLE("a vector constant is a broadcast"); },
        [&](const VarRef& x) -> Expr {
          auto it = lanes_.find(x.var);
          return it == lanes_.end() ? shuffle({e}, {i}) : Expr(it->second[static_cast<size_t>(i)]);
        },
        [&](const Unary& x) { return unary(x.op, lane(x.a, i)); },
        [&](const Binary& x) { return binary(x.op, lane(x.a, i), lane(x.b, i)); },
        [&](const Cast& x) { return cast(t, lane(x.a, i)); }, [&](const Reinterpret& x) { return bytes_of(t, x.a, i); },
        [&](const Select& x) {
          const Expr c = x.cond.dtype().lanes > 1 ? lane(x.cond, i) : mutate(x.cond);
          return select(c, lane(x.if_true, i), lane(x.if_false, i));
        },
        [&](const Load& x) {
          return load(x.buffer, lane_of(x.indices, i), x.predicate ? lane(x.predicate, i) : Expr());
        },
        [&](const LoadBits& x) { return composed(x, t, i); },
        [&](const Ramp& x) {
          const Expr base = once(x.base);
          return i == 0 ? base : base + mutate(x.stride) * imm(t, i);
        },
        [&](const Broadcast& x) { return once(x.a); }, [&](const Shuffle& x) { return picked(x, i); },
        [&](const VectorReduce&) -> Expr { MLC_UNREACHABLE("a reduction gives a scalar"); },
        [&](const Call& x) {
          std::vector<Expr> args;
          for (const Expr& a : x.args) args.push_back(lane(a, i));
          return call(t, x.intrinsic, std::move(args));
        });
  }

  std::vector<Expr> lane_of(const std::vector<Expr>& es, int i) {
    std::vector<Expr> out;
    for (const Expr& e : es) out.push_back(lane(e, i));
    return out;
  }

  // What all lanes share is computed once.
  Expr once(const Expr& e) {
    auto it = shared_.find(e.get());
    if (it != shared_.end()) return it->second.second;
    bool cheap = true;
    for_each_expr(e, [&](const Expr& x) {
      cheap = cheap && (as<VarRef>(x) || as<IntImm>(x) || as<FloatImm>(x) || as<Binary>(x)) && x.dtype().lanes == 1;
    });
    const Expr r = cheap ? mutate(e) : hoist("s", mutate(e));
    shared_[e.get()] = {e, r};
    return r;
  }

  Expr picked(const Shuffle& s, int i) {
    int at = s.indices[static_cast<size_t>(i)];
    for (const Expr& v : s.vectors) {
      const int lanes = v.dtype().lanes;
      if (at < lanes) return lane(v, at);
      at -= lanes;
    }
    MLC_UNREACHABLE("shuffle index {} is beyond its vectors", s.indices[static_cast<size_t>(i)]);
  }

  // Lane 0 first.
  Expr reduce(const VectorReduce& r) {
    const BinaryOp op = r.op == ReduceOp::kAdd   ? BinaryOp::kAdd
                        : r.op == ReduceOp::kMin ? BinaryOp::kMin
                                                 : BinaryOp::kMax;
    Expr value = lane(r.a, 0);
    for (int i = 1; i < r.a.dtype().lanes; ++i) value = hoist("r", binary(op, value, lane(r.a, i)));
    return value;
  }

  // ---- Bytes
  static DType bits_type(DType t) {
    return t.bits == 8 ? DType::u8() : t.bits == 16 ? DType::u16() : t.bits == 32 ? DType::u32() : DType::u64();
  }
  static Expr as_bits(const Expr& e) { return reinterpret(bits_type(e.dtype()), e); }

  // Parts, low first, as one value of type t; or one piece of a single wider part.
  static Expr join(DType t, const std::vector<Expr>& parts) {
    const DType u = bits_type(t);
    Expr value;
    for (size_t i = 0; i < parts.size(); ++i) {
      const Expr wide = cast(u, as_bits(parts[i]));
      const Expr placed = i == 0 ? wide : wide << imm(u, static_cast<int64_t>(i) * parts[i].dtype().bits);
      value = value ? value | placed : placed;
    }
    return reinterpret(t, value);
  }

  // Element i, of type t, of the bytes of a.
  Expr bytes_of(DType t, const Expr& a, int i) {
    const int from = a.dtype().bits, to = t.bits;
    if (from <= to) {
      std::vector<Expr> parts;
      for (int j = 0; j < to / from; ++j) parts.push_back(lane(a, i * (to / from) + j));
      return join(t, parts);
    }
    const int pieces = from / to;
    const Expr whole = hoist("w", as_bits(lane(a, i / pieces)));
    return reinterpret(t, cast(bits_type(t), whole >> imm(whole.dtype(), int64_t{i % pieces} * to)));
  }

  Expr composed(const LoadBits& l, DType t, int i) {
    const int element = l.buffer->dtype.bits;
    std::vector<Expr> indices;
    for (const Expr& x : l.indices) indices.push_back(mutate(x));
    const auto at = [&](int64_t offset) {
      std::vector<Expr> moved = indices;
      if (offset != 0) moved.back() = moved.back() + Expr(offset);
      return load(l.buffer, moved);
    };
    if (element > t.bits) {
      const int pieces = element / t.bits;
      const Expr whole = as_bits(at(i / pieces));
      return reinterpret(t, cast(bits_type(t), whole >> imm(whole.dtype(), int64_t{i % pieces} * t.bits)));
    }
    std::vector<Expr> parts;
    for (int j = 0; j < t.bits / element; ++j) parts.push_back(at(int64_t{i} * (t.bits / element) + j));
    return join(t, parts);
  }

  // ---- Statements
  Stmt store_lanes(const Stmt& s, const Store& st) {
    const int lanes = st.value.dtype().lanes;
    if (lanes == 1) return LetHoister::mutate(s);
    if (!st.predicate && contiguous(st.indices) && spelled(st.value)) return LetHoister::mutate(s);
    return with_lets([&] {
      std::vector<Expr> values, predicates;  // all read before the first is written
      for (int i = 0; i < lanes; ++i) {
        values.push_back(hoist("v", lane(st.value, i)));
        predicates.push_back(st.predicate ? hoist("p", lane(st.predicate, i)) : Expr());
      }
      std::vector<std::vector<Expr>> indices;
      for (int i = 0; i < lanes; ++i) {
        indices.push_back(lane_of(st.indices, i));
        for (Expr& x : indices.back()) x = reads(x) ? hoist("i", x) : x;
      }
      std::vector<Stmt> stores;
      for (size_t i = 0; i < values.size(); ++i) {
        stores.push_back(ir::store(st.buffer, indices[i], values[i], predicates[i]));
      }
      return seq(std::move(stores));
    });
  }

  static bool reads(const Expr& e) {
    bool found = false;
    for_each_expr(e, [&](const Expr& x) { found = found || as<Load>(x); });
    return found;
  }

  Stmt let_lanes(const Let& l) {
    std::vector<Var> vars;
    for (int i = 0; i < l.var.dtype().lanes; ++i) {
      vars.push_back(var(l.var.name() + "_" + std::to_string(i), l.var.dtype().scalar()));
    }
    lanes_[l.var] = vars;
    return with_lets([&] {
      std::vector<Expr> values;
      for (size_t i = 0; i < vars.size(); ++i) values.push_back(lane(l.value, static_cast<int>(i)));
      Stmt r = mutate(l.body);
      for (size_t i = vars.size(); i-- > 0;) r = let(vars[i], values[i], r);
      return r;
    });
  }

  bool vectors_;
  std::map<Var, std::vector<Var>> lanes_;
  std::map<const ExprNode*, std::pair<Expr, Expr>> shared_;
};

}  // namespace

PrimFunc scalarize_vectors(const PrimFunc& f, const target::Target& target) {
  PrimFunc result = f;
  result.body = Scalarizer(target).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
