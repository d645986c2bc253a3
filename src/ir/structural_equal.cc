// Alpha equivalence: two functions walked side by side, with a map from the binders of one to those of the other.
#include <bit>
#include <cmath>
#include <map>

#include "ir/text.h"
#include "ir/text_names.h"

namespace mlc::ir {

namespace {

class Equality {
 public:
  std::string why;

  bool func(const PrimFunc& a, const PrimFunc& b);

 private:
  std::map<const void*, const void*> to_, from_;

  bool differ(const std::string& what) {
    if (why.empty()) why = what;
    return false;
  }
  bool bind(const void* a, const void* b) {
    to_[a] = b;
    from_[b] = a;
    return true;
  }
  bool mapped(const void* a, const void* b) {
    auto x = to_.find(a);
    auto y = from_.find(b);
    if (x == to_.end() && y == from_.end()) return a == b;
    return x != to_.end() && y != from_.end() && x->second == b && y->second == a;
  }
  bool bind_var(const Var& a, const Var& b) {
    if (a.dtype() != b.dtype()) return differ("variables " + a.name() + " and " + b.name() + " have different types");
    return bind(a.get(), b.get());
  }
  bool bind_buffer(const Buffer& a, const Buffer& b) {
    if (a->dtype != b->dtype || a->scope != b->scope || a->alignment_bytes != b->alignment_bytes ||
        !exprs(a->shape, b->shape)) {
      return differ("buffers " + a->name + " and " + b->name + " have different types, shapes, scopes or alignments");
    }
    return bind(a.get(), b.get());
  }
  bool buffer(const Buffer& a, const Buffer& b) {
    if (mapped(a.get(), b.get())) return true;
    return differ("buffer " + a->name + " against buffer " + b->name);
  }
  bool exprs(const std::vector<Expr>& a, const std::vector<Expr>& b) {
    if (a.size() != b.size()) return differ("lists of different length");
    for (size_t i = 0; i < a.size(); ++i) {
      if (!expr(a[i], b[i])) return false;
    }
    return true;
  }
  bool regions(const std::vector<BufferRegion>& a, const std::vector<BufferRegion>& b) {
    if (a.size() != b.size()) return differ("different numbers of regions");
    for (size_t i = 0; i < a.size(); ++i) {
      if (!buffer(a[i].buffer, b[i].buffer)) return false;
      if (a[i].ranges.size() != b[i].ranges.size()) return differ("regions of different rank");
      for (size_t d = 0; d < a[i].ranges.size(); ++d) {
        const Range &x = a[i].ranges[d], &y = b[i].ranges[d];
        if (!expr(x.min, y.min) || !expr(x.extent, y.extent)) return false;
      }
    }
    return true;
  }
  bool expr(const Expr& a, const Expr& b);
  bool stmt(const Stmt& a, const Stmt& b);

  // One overload per kind of node; o<T>() is the other side.
  struct ExprKinds;
  struct StmtKinds;
};

struct Equality::ExprKinds {
  Equality& eq;
  const Expr& other;
  template <typename T>
  const T& o() {
    return std::get<T>(other->kind);
  }
  bool operator()(const IntImm& x) { return x.value == o<IntImm>().value; }
  bool operator()(const FloatImm& x) {
    const double a = x.value, b = o<FloatImm>().value;
    return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b) || (std::isnan(a) && std::isnan(b));
  }
  bool operator()(const VarRef& x) { return eq.mapped(x.var.get(), o<VarRef>().var.get()); }
  bool operator()(const Unary& x) { return x.op == o<Unary>().op && eq.expr(x.a, o<Unary>().a); }
  bool operator()(const Binary& x) {
    const Binary& y = o<Binary>();
    return x.op == y.op && eq.expr(x.a, y.a) && eq.expr(x.b, y.b);
  }
  bool operator()(const Cast& x) { return eq.expr(x.a, o<Cast>().a); }
  bool operator()(const Reinterpret& x) { return eq.expr(x.a, o<Reinterpret>().a); }
  bool operator()(const Select& x) {
    const Select& y = o<Select>();
    return eq.expr(x.cond, y.cond) && eq.expr(x.if_true, y.if_true) && eq.expr(x.if_false, y.if_false);
  }
  bool operator()(const Load& x) {
    const Load& y = o<Load>();
    return eq.buffer(x.buffer, y.buffer) && eq.exprs(x.indices, y.indices) && eq.expr(x.predicate, y.predicate);
  }
  bool operator()(const LoadBits& x) {
    return eq.buffer(x.buffer, o<LoadBits>().buffer) && eq.exprs(x.indices, o<LoadBits>().indices);
  }
  bool operator()(const Ramp& x) { return eq.expr(x.base, o<Ramp>().base) && eq.expr(x.stride, o<Ramp>().stride); }
  bool operator()(const Broadcast& x) { return eq.expr(x.a, o<Broadcast>().a); }
  bool operator()(const Shuffle& x) {
    return x.indices == o<Shuffle>().indices && eq.exprs(x.vectors, o<Shuffle>().vectors);
  }
  bool operator()(const VectorReduce& x) { return x.op == o<VectorReduce>().op && eq.expr(x.a, o<VectorReduce>().a); }
  bool operator()(const Call& x) { return x.intrinsic == o<Call>().intrinsic && eq.exprs(x.args, o<Call>().args); }
};

struct Equality::StmtKinds {
  Equality& eq;
  const Stmt& other;
  template <typename T>
  const T& o() {
    return std::get<T>(other->kind);
  }
  bool operator()(const For& x) {
    const For& y = o<For>();
    if (x.kind != y.kind || x.thread != y.thread || x.annotations != y.annotations) {
      return eq.differ("loops " + x.var.name() + " and " + y.var.name() + " have different kinds or annotations");
    }
    return eq.expr(x.min, y.min) && eq.expr(x.extent, y.extent) && eq.bind_var(x.var, y.var) && eq.stmt(x.body, y.body);
  }
  bool operator()(const Store& x) {
    const Store& y = o<Store>();
    return eq.buffer(x.buffer, y.buffer) && eq.exprs(x.indices, y.indices) && eq.expr(x.value, y.value) &&
           eq.expr(x.predicate, y.predicate);
  }
  bool operator()(const If& x) {
    const If& y = o<If>();
    return eq.expr(x.cond, y.cond) && eq.stmt(x.then_case, y.then_case) && eq.stmt(x.else_case, y.else_case);
  }
  bool operator()(const Seq& x) {
    const Seq& y = o<Seq>();
    if (x.stmts.size() != y.stmts.size()) return eq.differ("sequences of different length");
    for (size_t i = 0; i < x.stmts.size(); ++i) {
      if (!eq.stmt(x.stmts[i], y.stmts[i])) return false;
    }
    return true;
  }
  bool operator()(const Allocate& x) {
    return eq.bind_buffer(x.buffer, o<Allocate>().buffer) && eq.stmt(x.body, o<Allocate>().body);
  }
  bool operator()(const Let& x) {
    const Let& y = o<Let>();
    return eq.expr(x.value, y.value) && eq.bind_var(x.var, y.var) && eq.stmt(x.body, y.body);
  }
  bool operator()(const Block& x) {
    const Block& y = o<Block>();
    if (x.name != y.name) return eq.differ("blocks " + x.name + " and " + y.name);
    if (x.annotations != y.annotations) return eq.differ("annotations of block " + x.name);
    if (x.iters.size() != y.iters.size()) return eq.differ("variables of block " + x.name);
    for (size_t i = 0; i < x.iters.size(); ++i) {
      const IterVar &p = x.iters[i], &q = y.iters[i];
      if (p.kind != q.kind) return eq.differ("kind of variable " + p.var.name() + " of block " + x.name);
      if (!eq.expr(p.extent, q.extent) || !eq.expr(p.binding, q.binding)) return false;
    }
    if (!eq.expr(x.predicate, y.predicate)) return false;
    for (size_t i = 0; i < x.iters.size(); ++i) {
      if (!eq.bind_var(x.iters[i].var, y.iters[i].var)) return false;
    }
    if (x.allocs.size() != y.allocs.size()) return eq.differ("buffers allocated in block " + x.name);
    for (size_t i = 0; i < x.allocs.size(); ++i) {
      if (!eq.bind_buffer(x.allocs[i], y.allocs[i])) return false;
    }
    return eq.regions(x.reads, y.reads) && eq.regions(x.writes, y.writes) && eq.stmt(x.init, y.init) &&
           eq.stmt(x.body, y.body);
  }
  bool operator()(const Evaluate& x) { return eq.expr(x.value, o<Evaluate>().value); }
  bool operator()(const Assume& x) { return eq.expr(x.cond, o<Assume>().cond); }
  bool operator()(const Prefetch& x) {
    const Prefetch& y = o<Prefetch>();
    return x.locality == y.locality && eq.buffer(x.buffer, y.buffer) && eq.exprs(x.indices, y.indices);
  }
  bool operator()(const Barrier& x) { return x.scope == o<Barrier>().scope; }
};

bool Equality::expr(const Expr& a, const Expr& b) {
  if (!a && !b) return true;
  if (!a || !b) return differ("an expression is missing: " + print(a ? a : b));
  if (a.dtype() == b.dtype() && a->kind.index() == b->kind.index() && std::visit(ExprKinds{*this, b}, a->kind)) {
    return true;
  }
  return differ("expression " + print(a) + " against " + print(b));
}

bool Equality::stmt(const Stmt& a, const Stmt& b) {
  if (!a && !b) return true;
  if (!a || !b) return differ("a statement is missing:\n" + print(a ? a : b));
  if (a->kind.index() != b->kind.index()) return differ("statement\n" + print(a, 1) + "against\n" + print(b, 1));
  const size_t before = why.size();
  if (std::visit(StmtKinds{*this, b}, a->kind)) return true;
  if (before == 0 && as<Store>(a)) why += " in\n" + print(a, 1) + "against\n" + print(b, 1);
  return differ("statement\n" + print(a, 1) + "against\n" + print(b, 1));
}

bool Equality::func(const PrimFunc& a, const PrimFunc& b) {
  if (a.name != b.name) return differ("functions " + a.name + " and " + b.name);
  if (a.attrs != b.attrs) return differ("attributes of function " + a.name);
  if (a.sizes.size() != b.sizes.size() || a.buffers.size() != b.buffers.size()) {
    return differ("function " + a.name + " has different numbers of parameters");
  }
  for (size_t i = 0; i < a.sizes.size(); ++i) {
    if (!bind_var(a.sizes[i], b.sizes[i])) return false;
  }
  for (size_t i = 0; i < a.buffers.size(); ++i) {
    if (!bind_buffer(a.buffers[i], b.buffers[i])) return false;
  }
  return stmt(a.body, b.body);
}

}  // namespace

bool structural_equal(const PrimFunc& a, const PrimFunc& b, std::string* why) {
  Equality eq;
  if (eq.func(a, b)) return true;
  if (why) *why = eq.why;
  return false;
}

bool structural_equal(const Module& a, const Module& b, std::string* why) {
  if (a.functions.size() != b.functions.size()) {
    if (why) *why = "modules with different numbers of functions";
    return false;
  }
  for (size_t i = 0; i < a.functions.size(); ++i) {
    if (!structural_equal(a.functions[i], b.functions[i], why)) return false;
  }
  return true;
}

}  // namespace mlc::ir
