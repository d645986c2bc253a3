#include "ir/visit.h"

#include <algorithm>

namespace mlc::ir {

// ---- Visitor

void Visitor::visit(const Expr& e) {
  if (!e) return;
  auto all = [&](const std::vector<Expr>& es) {
    for (const Expr& x : es) visit(x);
  };
  match(
      e, [](const IntImm&) {}, [](const FloatImm&) {}, [](const VarRef&) {}, [&](const Unary& x) { visit(x.a); },
      [&](const Binary& x) {
        visit(x.a);
        visit(x.b);
      },
      [&](const Cast& x) { visit(x.a); }, [&](const Reinterpret& x) { visit(x.a); },
      [&](const Select& x) {
        visit(x.cond);
        visit(x.if_true);
        visit(x.if_false);
      },
      [&](const Load& x) {
        all(x.indices);
        visit(x.predicate);
      },
      [&](const LoadBits& x) { all(x.indices); },
      [&](const Ramp& x) {
        visit(x.base);
        visit(x.stride);
      },
      [&](const Broadcast& x) { visit(x.a); }, [&](const Shuffle& x) { all(x.vectors); },
      [&](const VectorReduce& x) { visit(x.a); }, [&](const Call& x) { all(x.args); });
}

void Visitor::visit(const Stmt& s) {
  if (!s) return;
  auto all = [&](const std::vector<Expr>& es) {
    for (const Expr& x : es) visit(x);
  };
  auto regions = [&](const std::vector<BufferRegion>& rs) {
    for (const BufferRegion& r : rs) {
      for (const Range& range : r.ranges) {
        visit(range.min);
        visit(range.extent);
      }
    }
  };
  match(
      s,
      [&](const For& x) {
        visit(x.min);
        visit(x.extent);
        visit(x.body);
      },
      [&](const Store& x) {
        all(x.indices);
        visit(x.value);
        visit(x.predicate);
      },
      [&](const If& x) {
        visit(x.cond);
        visit(x.then_case);
        visit(x.else_case);
      },
      [&](const Seq& x) {
        for (const Stmt& c : x.stmts) visit(c);
      },
      [&](const Allocate& x) {
        all(x.buffer->shape);
        visit(x.body);
      },
      [&](const Let& x) {
        visit(x.value);
        visit(x.body);
      },
      [&](const Block& x) {
        for (const IterVar& it : x.iters) {
          visit(it.extent);
          visit(it.binding);
        }
        visit(x.predicate);
        regions(x.reads);
        regions(x.writes);
        for (const Buffer& b : x.allocs) all(b->shape);
        visit(x.init);
        visit(x.body);
      },
      [&](const Evaluate& x) { visit(x.value); }, [&](const Assume& x) { visit(x.cond); },
      [&](const Prefetch& x) { all(x.indices); }, [](const Barrier&) {});
}

// ---- Mutator

namespace {

bool same(const std::vector<Expr>& a, const std::vector<Expr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Expr& x, const Expr& y) { return x.same_as(y); });
}

template <typename T>
Expr remake(const Expr& e, T kind) {
  return Expr(std::make_shared<const ExprNode>(ExprNode{e.dtype(), std::move(kind)}));
}

}  // namespace

Expr Mutator::mutate(const Expr& e) {
  if (!e) return e;
  auto opt = [&](const Expr& x) { return x ? mutate(x) : x; };
  auto all = [&](const std::vector<Expr>& es) {
    std::vector<Expr> out;
    out.reserve(es.size());
    for (const Expr& x : es) out.push_back(mutate(x));
    return out;
  };
  return match(
      e, [&](const IntImm&) { return e; }, [&](const FloatImm&) { return e; }, [&](const VarRef&) { return e; },
      [&](const Unary& x) {
        Expr a = mutate(x.a);
        return a.same_as(x.a) ? e : unary(x.op, a);
      },
      [&](const Binary& x) {
        Expr a = mutate(x.a), b = mutate(x.b);
        return a.same_as(x.a) && b.same_as(x.b) ? e : binary(x.op, a, b);
      },
      [&](const Cast& x) {
        Expr a = mutate(x.a);
        return a.same_as(x.a) ? e : cast(e.dtype(), a);
      },
      [&](const Reinterpret& x) {
        Expr a = mutate(x.a);
        return a.same_as(x.a) ? e : reinterpret(e.dtype(), a);
      },
      [&](const Select& x) {
        Expr c = mutate(x.cond), t = mutate(x.if_true), f = mutate(x.if_false);
        return c.same_as(x.cond) && t.same_as(x.if_true) && f.same_as(x.if_false) ? e : select(c, t, f);
      },
      [&](const Load& x) {
        Buffer b = mutate_buffer(x.buffer);
        std::vector<Expr> i = all(x.indices);
        Expr p = opt(x.predicate);
        return b == x.buffer && same(i, x.indices) && p.same_as(x.predicate) ? e : load(b, std::move(i), p);
      },
      [&](const LoadBits& x) {
        Buffer b = mutate_buffer(x.buffer);
        std::vector<Expr> i = all(x.indices);
        return b == x.buffer && same(i, x.indices) ? e : load_bits(e.dtype(), b, std::move(i));
      },
      [&](const Ramp& x) {
        Expr b = mutate(x.base), st = mutate(x.stride);
        return b.same_as(x.base) && st.same_as(x.stride) ? e : ramp(b, st, e.dtype().lanes);
      },
      [&](const Broadcast& x) {
        Expr a = mutate(x.a);
        return a.same_as(x.a) ? e : broadcast(a, e.dtype().lanes);
      },
      [&](const Shuffle& x) {
        std::vector<Expr> v = all(x.vectors);
        return same(v, x.vectors) ? e : shuffle(std::move(v), x.indices);
      },
      [&](const VectorReduce& x) {
        Expr a = mutate(x.a);
        return a.same_as(x.a) ? e : vector_reduce(x.op, a);
      },
      [&](const Call& x) {
        std::vector<Expr> a = all(x.args);
        return same(a, x.args) ? e : remake(e, Call{x.intrinsic, std::move(a)});
      });
}

namespace {

// The statement kinds, apart from Mutator for length.
struct StmtMutation {
  Mutator& m;
  const Stmt& s;

  Expr opt(const Expr& x) { return x ? m.mutate(x) : x; }
  Stmt opt(const Stmt& x) { return x ? m.mutate(x) : x; }
  std::vector<Expr> all(const std::vector<Expr>& es) {
    std::vector<Expr> out;
    out.reserve(es.size());
    for (const Expr& x : es) out.push_back(m.mutate(x));
    return out;
  }

  Stmt operator()(const For& x) {
    For n = x;
    n.min = m.mutate(x.min);
    n.extent = m.mutate(x.extent);
    n.body = m.mutate(x.body);
    if (n.min.same_as(x.min) && n.extent.same_as(x.extent) && n.body.same_as(x.body)) return s;
    return n.body ? make_stmt(std::move(n)) : Stmt();
  }
  Stmt operator()(const Store& x) {
    Store n{m.mutate_buffer(x.buffer), all(x.indices), m.mutate(x.value), opt(x.predicate)};
    if (n.buffer == x.buffer && same(n.indices, x.indices) && n.value.same_as(x.value) &&
        n.predicate.same_as(x.predicate)) {
      return s;
    }
    return store(n.buffer, std::move(n.indices), n.value, n.predicate);
  }
  Stmt operator()(const If& x) {
    Expr c = m.mutate(x.cond);
    Stmt t = m.mutate(x.then_case), f = opt(x.else_case);
    if (c.same_as(x.cond) && t.same_as(x.then_case) && f.same_as(x.else_case)) return s;
    if (!t && !f) return Stmt();
    return t ? if_(c, t, f) : if_(logical_not(c), f);
  }
  Stmt operator()(const Seq& x) {
    std::vector<Stmt> out;
    bool changed = false;
    for (const Stmt& c : x.stmts) {
      out.push_back(m.mutate(c));
      changed |= !out.back().same_as(c);
    }
    return changed ? seq(std::move(out)) : s;
  }
  Stmt operator()(const Allocate& x) {
    Buffer b = m.mutate_buffer(x.buffer);
    Stmt body = m.mutate(x.body);
    if (b == x.buffer && body.same_as(x.body)) return s;
    return body ? allocate(b, body) : Stmt();
  }
  Stmt operator()(const Let& x) {
    Expr v = m.mutate(x.value);
    Stmt body = m.mutate(x.body);
    if (v.same_as(x.value) && body.same_as(x.body)) return s;
    return body ? let(x.var, v, body) : Stmt();
  }
  bool regions(std::vector<BufferRegion>& rs) {
    bool changed = false;
    for (BufferRegion& r : rs) {
      Buffer b = m.mutate_buffer(r.buffer);
      changed |= !(b == r.buffer);
      r.buffer = b;
      for (Range& range : r.ranges) {
        Expr lo = m.mutate(range.min), n = m.mutate(range.extent);
        changed |= !lo.same_as(range.min) || !n.same_as(range.extent);
        range = Range{lo, n};
      }
    }
    return changed;
  }
  Stmt operator()(const Block& x) {
    Block n = x;
    bool changed = false;
    for (IterVar& it : n.iters) {
      Expr extent = m.mutate(it.extent), binding = m.mutate(it.binding);
      changed |= !extent.same_as(it.extent) || !binding.same_as(it.binding);
      it.extent = extent;
      it.binding = binding;
    }
    n.predicate = opt(x.predicate);
    for (Buffer& b : n.allocs) {
      Buffer c = m.mutate_buffer(b);
      changed |= !(b == c);
      b = c;
    }
    changed |= regions(n.reads);
    changed |= regions(n.writes);
    n.init = opt(x.init);
    n.body = m.mutate(x.body);
    changed |= !n.predicate.same_as(x.predicate) || !n.init.same_as(x.init) || !n.body.same_as(x.body);
    return changed ? make_stmt(std::move(n)) : s;
  }
  Stmt operator()(const Evaluate& x) {
    Expr v = m.mutate(x.value);
    return v.same_as(x.value) ? s : evaluate(v);
  }
  Stmt operator()(const Assume& x) {
    Expr c = m.mutate(x.cond);
    return c.same_as(x.cond) ? s : assume(c);
  }
  Stmt operator()(const Prefetch& x) {
    Buffer b = m.mutate_buffer(x.buffer);
    std::vector<Expr> i = all(x.indices);
    return b == x.buffer && same(i, x.indices) ? s : prefetch(b, std::move(i), x.locality);
  }
  Stmt operator()(const Barrier&) { return s; }
};

}  // namespace

Stmt Mutator::mutate(const Stmt& s) {
  if (!s) return s;
  return std::visit(StmtMutation{*this, s}, s->kind);
}

// ---- Substitution

namespace {

// Local buffers get new identities at their declaration (when wanted); uses follow.
class Substitution : public Mutator {
 public:
  VarMap vars;
  BufferMap buffers;
  bool refresh_all = false;

  using Mutator::mutate;
  Expr mutate(const Expr& e) override {
    if (const VarRef* v = as<VarRef>(e)) {
      auto it = vars.find(v->var);
      return it == vars.end() ? e : it->second;
    }
    return Mutator::mutate(e);
  }
  Buffer mutate_buffer(const Buffer& b) override {
    auto it = buffers.find(b);
    return it == buffers.end() ? b : it->second;
  }
  Stmt mutate(const Stmt& s) override {
    if (const Allocate* a = as<Allocate>(s)) declare(a->buffer);
    if (const Block* b = as<Block>(s)) {
      for (const Buffer& x : b->allocs) declare(x);
    }
    if (!refresh_all) return Mutator::mutate(s);
    return rebind(s);
  }
  void declare(const Buffer& b) {
    if (buffers.count(b)) return;
    BufferNode n = *b;
    bool changed = refresh_all;
    for (Expr& d : n.shape) {
      Expr d2 = mutate(d);
      changed |= !d2.same_as(d);
      d = d2;
    }
    if (changed) buffers[b] = Buffer(std::make_shared<const BufferNode>(std::move(n)));
  }

 private:
  Var fresh(const Var& v) {
    Var n = var(v.name(), v.dtype());
    vars[v] = n;
    return n;
  }
  // Copies a statement with new binders.
  Stmt rebind(const Stmt& s) {
    if (const For* f = as<For>(s)) {
      For n = *f;
      n.min = mutate(f->min);
      n.extent = mutate(f->extent);
      n.var = fresh(f->var);
      n.body = mutate(f->body);
      return make_stmt(std::move(n));
    }
    if (const Let* l = as<Let>(s)) {
      Expr value = mutate(l->value);
      Var v = fresh(l->var);
      return let(v, value, mutate(l->body));
    }
    if (const Block* b = as<Block>(s)) {
      Block n = *b;
      for (IterVar& it : n.iters) it.var = fresh(it.var);
      return Mutator::mutate(make_stmt(std::move(n)));
    }
    return Mutator::mutate(s);
  }
};

}  // namespace

Expr substitute(const Expr& e, const VarMap& vars) {
  Substitution m;
  m.vars = vars;
  return m.mutate(e);
}
Stmt substitute(const Stmt& s, const VarMap& vars) {
  Substitution m;
  m.vars = vars;
  return m.mutate(s);
}
Stmt replace_buffers(const Stmt& s, const BufferMap& buffers) {
  Substitution m;
  m.buffers = buffers;
  return m.mutate(s);
}
Expr replace_buffers(const Expr& e, const BufferMap& buffers) {
  Substitution m;
  m.buffers = buffers;
  return m.mutate(e);
}
Stmt refresh(const Stmt& s) {
  Substitution m;
  m.refresh_all = true;
  return m.mutate(s);
}

PrimFunc specialize(const PrimFunc& f, const VarMap& sizes) {
  Substitution m;
  m.vars = sizes;
  PrimFunc out = f;
  for (Buffer& b : out.buffers) {
    m.declare(b);
    b = m.mutate_buffer(b);
  }
  std::erase_if(out.sizes, [&](const Var& v) { return sizes.count(v) > 0; });
  out.body = m.mutate(f.body);
  return out;
}

// ---- Queries

namespace {

class Each : public Visitor {
 public:
  const std::function<void(const Expr&)>* on_expr = nullptr;
  const std::function<void(const Stmt&)>* on_stmt = nullptr;

  void visit(const Expr& e) override {
    if (!e || !on_expr) return;
    (*on_expr)(e);
    Visitor::visit(e);
  }
  void visit(const Stmt& s) override {
    if (!s) return;
    if (on_stmt) (*on_stmt)(s);
    Visitor::visit(s);
  }
};

class FreeVars : public Visitor {
 public:
  std::set<Var> free, bound;

  void visit(const Expr& e) override {
    if (const VarRef* v = as<VarRef>(e)) {
      if (!bound.count(v->var)) free.insert(v->var);
    }
    Visitor::visit(e);
  }
  // Binders are unique by identity, so that they can be collected on the way.
  void visit(const Stmt& s) override {
    if (const For* f = as<For>(s)) bound.insert(f->var);
    if (const Let* l = as<Let>(s)) bound.insert(l->var);
    if (const Block* b = as<Block>(s)) {
      for (const IterVar& it : b->iters) bound.insert(it.var);
    }
    Visitor::visit(s);
  }
};

}  // namespace

std::set<Var> free_vars(const Expr& e) {
  FreeVars v;
  v.visit(e);
  return std::move(v.free);
}
std::set<Var> free_vars(const Stmt& s) {
  FreeVars v;
  v.visit(s);
  return std::move(v.free);
}
bool uses_var(const Expr& e, const Var& v) {
  bool found = false;
  for_each_expr(e, [&](const Expr& x) {
    const VarRef* r = as<VarRef>(x);
    found |= r && r->var == v;
  });
  return found;
}
bool uses_var(const Stmt& s, const Var& v) {
  bool found = false;
  for_each_expr(s, [&](const Expr& x) {
    const VarRef* r = as<VarRef>(x);
    found |= r && r->var == v;
  });
  return found;
}
void for_each_expr(const Stmt& s, const std::function<void(const Expr&)>& f) {
  Each each;
  each.on_expr = &f;
  each.visit(s);
}
void for_each_expr(const Expr& e, const std::function<void(const Expr&)>& f) {
  Each each;
  each.on_expr = &f;
  each.visit(e);
}
void for_each_stmt(const Stmt& s, const std::function<void(const Stmt&)>& f) {
  Each each;
  each.on_stmt = &f;
  each.visit(s);
}

}  // namespace mlc::ir
