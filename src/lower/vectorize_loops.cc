#include "lower/vectorize_loops.h"

#include <optional>

#include "arith/simplify.h"
#include "ir/intrinsics.h"
#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

// Thrown where a statement has no vector form; caught by the loop, which stays serial.
struct NoVectorForm {};

// Rewrites one loop's body for all values of the loop variable at once. An expression comes out with `lanes_` lanes if
// it differs by iteration, and unchanged if it does not.
class LoopVectorizer {
 public:
  LoopVectorizer(const Var& var, const Expr& min, int lanes) : lanes_(lanes), var_(var), min_(min) {
    values_[var] = ramp(min, 1, lanes);
  }

  Stmt run(const Stmt& s) { return stmt(s); }

 private:
  Expr wide(const Expr& e) const {
    if (e.dtype().lanes == lanes_) return e;
    if (e.dtype().lanes != 1) throw NoVectorForm();
    return broadcast(e, lanes_);
  }
  bool varies(const Expr& e) const {
    for (const Var& v : free_vars(e)) {
      if (values_.count(v)) return true;
    }
    bool found = false;  // memory of one iteration
    for_each_expr(e, [&](const Expr& x) {
      if (const Load* l = as<Load>(x)) found = found || expanded_.count(l->buffer) > 0;
      if (const LoadBits* l = as<LoadBits>(x)) found = found || expanded_.count(l->buffer) > 0;
    });
    return found;
  }
  Expr guard(const Expr& predicate) const {  // predicate and mask, both optional; vectors
    if (!mask_) return predicate;
    return predicate ? logical_and(wide(predicate), mask_) : mask_;
  }

  // ---- expressions
  Expr expr(const Expr& e) {
    if (!e) return e;
    if (!varies(e) && !mask_) return e;
    return match(
        e, [&](const IntImm&) { return e; }, [&](const FloatImm&) { return e; },
        [&](const VarRef& n) {
          auto it = values_.find(n.var);
          return it == values_.end() ? e : it->second;
        },
        [&](const Unary& n) { return unary(n.op, expr(n.a)); }, [&](const Binary& n) { return vector_binary(n); },
        [&](const Cast& n) {
          const Expr a = expr(n.a);
          return cast(e.dtype().with_lanes(a.dtype().lanes), a);
        },
        [&](const Reinterpret& n) {
          const Expr a = expr(n.a);
          if (a.dtype() == n.a.dtype()) return reinterpret(e.dtype(), a);
          if (n.a.dtype().lanes != 1 || e.dtype().lanes != 1) throw NoVectorForm();
          return reinterpret(e.dtype().with_lanes(lanes_), a);
        },
        [&](const Select& n) {
          const Expr c = expr(n.cond), a = expr(n.if_true), b = expr(n.if_false);
          if (c.dtype().lanes == e.dtype().lanes && a.dtype() == e.dtype() && b.dtype() == e.dtype()) {
            return select(c, a, b);
          }
          return select(wide(c), wide(a), wide(b));
        },
        [&](const Load& n) { return vector_load(e, n); },
        [&](const LoadBits& n) {
          if (varies(e) || mask_) throw NoVectorForm();
          return load_bits(e.dtype(), n.buffer, n.indices);
        },
        [&](const Ramp&) { return unchanged(e); }, [&](const Broadcast&) { return unchanged(e); },
        [&](const Shuffle&) { return unchanged(e); }, [&](const VectorReduce&) { return unchanged(e); },
        [&](const Call& n) { return vector_call(e, n); });
  }

  // Vector code in the scalar program: fine if it is the same for all iterations.
  Expr unchanged(const Expr& e) {
    if (varies(e)) throw NoVectorForm();
    bool loads = false;
    for_each_expr(e, [&](const Expr& x) { loads = loads || as<Load>(x) || as<LoadBits>(x); });
    if (loads && mask_) throw NoVectorForm();
    return e;
  }

  Expr vector_binary(const Binary& n) {
    const Expr a = expr(n.a), b = expr(n.b);
    const bool divides = n.op == BinaryOp::kFloorDiv || n.op == BinaryOp::kFloorMod;
    if (divides && mask_ && !as_const_int(n.b)) throw NoVectorForm();  // a lane that is off may divide by zero
    if (a.dtype() == b.dtype() && a.dtype().lanes != lanes_) return binary(n.op, a, b);
    // Ramps stay ramps, so that accesses stay contiguous.
    const Ramp *ra = as<Ramp>(a), *rb = as<Ramp>(b);
    const auto folded = [&](const Expr& base, const Expr& stride) {
      return ramp(base, arith::simplify(stride), lanes_);
    };
    const bool scalar_a = a.dtype().lanes == 1, scalar_b = b.dtype().lanes == 1;
    switch (n.op) {
      case BinaryOp::kAdd:
        if (ra && rb) return folded(ra->base + rb->base, ra->stride + rb->stride);
        if (ra && scalar_b) return folded(ra->base + b, ra->stride);
        if (rb && scalar_a) return folded(a + rb->base, rb->stride);
        break;
      case BinaryOp::kSub:
        if (ra && rb) return folded(ra->base - rb->base, ra->stride - rb->stride);
        if (ra && scalar_b) return folded(ra->base - b, ra->stride);
        if (rb && scalar_a) return folded(a - rb->base, zero(a.dtype()) - rb->stride);
        break;
      case BinaryOp::kMul:
        if (ra && scalar_b) return folded(ra->base * b, ra->stride * b);
        if (rb && scalar_a) return folded(a * rb->base, a * rb->stride);
        break;
      default:
        break;
    }
    return binary(n.op, wide(a), wide(b));
  }

  Expr vector_load(const Expr& e, const Load& n) {
    if (e.dtype().lanes != 1) {
      if (varies(e) || mask_) throw NoVectorForm();
      return e;
    }
    std::vector<Expr> indices;
    bool vector = false;
    for (const Expr& i : n.indices) {
      indices.push_back(expr(i));
      vector = vector || indices.back().dtype().lanes == lanes_;
    }
    const Buffer b = expand(n.buffer, indices, vector);
    Expr predicate = n.predicate ? expr(n.predicate) : Expr();
    vector = vector || (predicate && predicate.dtype().lanes == lanes_);
    if (!vector && !mask_) return load(b, indices, predicate);
    if (!vector || !has_vector(indices)) {  // one element for all lanes, read if a lane is on
      indices.back() = broadcast(indices.back(), lanes_);
    }
    predicate = guard(predicate ? wide(predicate) : predicate);
    return load(b, indices, predicate);
  }

  bool has_vector(const std::vector<Expr>& indices) const {
    for (const Expr& i : indices) {
      if (i.dtype().lanes == lanes_) return true;
    }
    return false;
  }

  Expr vector_call(const Expr& e, const Call& n) {
    if (!find_math(n.intrinsic)) return unchanged(e);
    std::vector<Expr> args;
    bool vector = false;
    for (const Expr& a : n.args) {
      args.push_back(expr(a));
      vector = vector || args.back().dtype().lanes != a.dtype().lanes;
    }
    if (!vector) return call(e.dtype(), n.intrinsic, args);
    for (Expr& a : args) a = wide(a);
    return call(e.dtype().with_lanes(lanes_), n.intrinsic, args);
  }

  // ---- statements
  Stmt stmt(const Stmt& s) {
    return match(
        s, [&](const For& n) { return vector_for(n); }, [&](const Store& n) { return vector_store(n); },
        [&](const If& n) { return vector_if(n); },
        [&](const Seq& n) {
          std::vector<Stmt> stmts;
          for (const Stmt& t : n.stmts) stmts.push_back(stmt(t));
          return seq(std::move(stmts));
        },
        [&](const Allocate& n) { return vector_allocate(n); }, [&](const Let& n) { return vector_let(n); },
        [&](const Block&) -> Stmt { throw NoVectorForm(); }, [&](const Evaluate& n) { return evaluate(expr(n.value)); },
        [&](const Assume& n) { return varies(n.cond) || mask_ ? seq({}) : make_stmt(n); },
        [&](const Prefetch& n) {  // a hint: the first lane's address
          std::vector<Expr> indices;
          for (const Expr& i : n.indices) {
            const Expr first = substitute(i, {{var_, min_}});
            if (varies(first)) throw NoVectorForm();
            indices.push_back(first);
          }
          if (expanded_.count(n.buffer)) throw NoVectorForm();
          return prefetch(n.buffer, std::move(indices), n.locality);
        },
        [&](const Barrier&) -> Stmt { throw NoVectorForm(); });
  }

  Stmt vector_for(const For& n) {
    const Expr min = expr(n.min), extent = expr(n.extent);
    if (min.dtype().lanes != 1 || extent.dtype().lanes != 1 || n.kind == ForKind::kThread) throw NoVectorForm();
    For f = n;
    f.min = min;
    f.extent = extent;
    if (f.kind == ForKind::kVectorized) f.kind = ForKind::kSerial;
    f.body = stmt(n.body);
    return make_stmt(std::move(f));
  }

  Stmt vector_store(const Store& n) {
    if (n.value.dtype().lanes != 1) throw NoVectorForm();
    std::vector<Expr> indices;
    for (const Expr& i : n.indices) indices.push_back(expr(i));
    bool vector = has_vector(indices);
    const Buffer b = expand(n.buffer, indices, vector);
    const Expr value = expr(n.value);
    Expr predicate = n.predicate ? expr(n.predicate) : Expr();
    if (!vector) {
      // All iterations write one element. The same value every time is one store, anything else has an order.
      if (value.dtype().lanes != 1 || (predicate && predicate.dtype().lanes != 1) || mask_) throw NoVectorForm();
      return store(b, std::move(indices), value, predicate);
    }
    predicate = guard(predicate ? wide(predicate) : predicate);
    return store(b, std::move(indices), wide(value), predicate);
  }

  Stmt vector_if(const If& n) {
    const Expr cond = expr(n.cond);
    if (cond.dtype().lanes == 1) {
      const Stmt then_case = stmt(n.then_case);
      return if_(cond, then_case, n.else_case ? stmt(n.else_case) : Stmt());
    }
    const Expr saved = mask_;
    const Var on = var("on", cond.dtype());  // evaluated once, before the branches change memory
    mask_ = saved ? logical_and(saved, on) : Expr(on);
    Stmt body = stmt(n.then_case);
    if (n.else_case) {
      const Expr off = logical_not(on);
      mask_ = saved ? logical_and(saved, off) : off;
      body = seq({body, stmt(n.else_case)});
    }
    mask_ = saved;
    return let(on, cond, body);
  }

  Stmt vector_allocate(const Allocate& n) {
    BufferNode node = *n.buffer;
    node.shape.push_back(Expr(lanes_));
    const Buffer b(std::make_shared<const BufferNode>(std::move(node)));
    expanded_[n.buffer] = b;
    return allocate(b, stmt(n.body));
  }

  // An access to a buffer with a dimension for the lanes.
  Buffer expand(const Buffer& b, std::vector<Expr>& indices, bool& vector) const {
    auto it = expanded_.find(b);
    if (it == expanded_.end()) return b;
    indices.push_back(ramp(Expr(0), 1, lanes_));
    vector = true;
    return it->second;
  }

  Stmt vector_let(const Let& n) {
    const Expr value = expr(n.value);
    if (value.dtype() == n.var.dtype()) return let(n.var, value, stmt(n.body));
    const Var v = var(n.var.name(), value.dtype());
    // A ramp is known to its uses, so that what is contiguous stays so.
    values_[n.var] = as<Ramp>(value) ? value : Expr(v);
    return let(v, value, stmt(n.body));
  }

  int lanes_;
  Var var_;
  Expr min_;
  VarMap values_;  // what differs by iteration
  std::map<Buffer, Buffer> expanded_;
  Expr mask_;  // lanes that are on; null: all
};

class Vectorizer : public Mutator {
 public:
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const For* f = as<For>(s);
    if (!f || f->kind != ForKind::kVectorized) return Mutator::mutate(s);
    const int64_t* n = as_const_int(f->extent);
    if (n && *n == 1) return mutate(substitute(f->body, {{f->var, f->min}}));
    // Iterations are independent: statement by statement over all iterations is the same.
    if (const Seq* q = as<Seq>(f->body)) {
      std::vector<Stmt> parts;
      for (const Stmt& part : q->stmts) {
        For one = *f;
        one.body = part;
        parts.push_back(refresh(vectorize(one)));
      }
      return seq(std::move(parts));
    }
    return vectorize(*f);
  }

 private:
  Stmt vectorize(const For& f) {
    const int64_t* n = as_const_int(f.extent);
    if (n && *n > 1 && *n <= kMaxLanes) {
      try {
        return LoopVectorizer(f.var, f.min, static_cast<int>(*n)).run(f.body);
      } catch (const NoVectorForm&) {
      }
    }
    For serial = f;
    serial.kind = ForKind::kSerial;
    serial.body = Mutator::mutate(f.body);
    return make_stmt(std::move(serial));
  }
};

}  // namespace

PrimFunc vectorize_loops(const PrimFunc& f) {
  PrimFunc result = f;
  result.body = Vectorizer().mutate(f.body);
  return result;
}

}  // namespace mlc::lower
