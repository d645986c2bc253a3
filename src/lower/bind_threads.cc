#include "lower/bind_threads.h"

#include <algorithm>
#include <map>

#include "lower/thread_access.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

Buffer with_scope(const Buffer& b, Scope scope) {
  BufferNode node = *b;
  node.scope = scope;
  return Buffer(std::make_shared<const BufferNode>(std::move(node)));
}

bool contains(const Stmt& s, bool (*is)(const For&)) {
  bool found = false;
  for_each_stmt(s, [&](const Stmt& x) {
    const For* f = as<For>(x);
    found = found || (f && is(*f));
  });
  return found;
}

// Every thread evaluates what stands around the leaves; where a guard fails, nothing may be read.
class GuardLoads : public Mutator {
 public:
  explicit GuardLoads(Expr guard) : guard_(std::move(guard)) {}
  using Mutator::mutate;
  Expr mutate(const Expr& e) override {
    const Expr r = Mutator::mutate(e);
    const Load* l = as<Load>(r);
    if (!l) return r;
    const Expr guard = r.dtype().lanes > 1 ? broadcast(guard_, r.dtype().lanes) : guard_;
    return load(l->buffer, l->indices, l->predicate ? logical_and(guard, l->predicate) : guard);
  }

 private:
  Expr guard_;
};

// The body of one work-group.
class Group {
 public:
  // uniform: sizes and block axes around; declared: intermediates around.
  Group(const Stmt& body, std::set<Var> uniform, std::vector<Buffer> declared)
      : declared_(std::move(declared)), uniform_(std::move(uniform)) {
    find_axes(body);
    body_ = phase(body, {});
  }

  // changed: buffers that must move to another scope.
  Stmt build(BufferMap& changed) {
    rescope(changed);
    Stmt s = body_;
    for (auto a = axes_.rbegin(); a != axes_.rend(); ++a) {
      For loop{a->var, 0, a->extent, ForKind::kThread, s, a->name, {}};
      s = make_stmt(std::move(loop));
    }
    return s;
  }

 private:
  struct Context {
    std::vector<std::string> axes;  // bound so far
    Expr guard;                     // of threads beyond the extents of loops bound so far; may be null
  };

  // z outermost, as the hardware counts.
  void find_axes(const Stmt& body) {
    for (const char* name : {"threadIdx.z", "threadIdx.y", "threadIdx.x"}) {
      ThreadAxis axis{name, {}, 0};
      for_each_stmt(body, [&](const Stmt& s) {
        const For* f = as<For>(s);
        if (!f || f->kind != ForKind::kThread || f->thread != name) return;
        const int64_t* extent = as_const_int(f->extent);
        MLC_CHECK(extent, "loop {} on {} has no constant extent: bind() refuses that", f->var.name(), name);
        axis.extent = std::max(axis.extent, *extent);
        if (!axis.var) axis.var = var(f->var.name());
      });
      if (axis.var) axes_.push_back(axis);
    }
  }

  static Expr both(const Expr& a, const Expr& b) { return !a ? b : !b ? a : logical_and(a, b); }

  Stmt phase(const Stmt& s, const Context& c) {
    if (!contains(s, is_thread_axis)) return leaf(s, c);
    if (const For* f = as<For>(s)) return is_thread_axis(*f) ? thread_loop(*f, c) : loop(*f, c);
    if (const Seq* q = as<Seq>(s)) {
      std::vector<Stmt> stmts;
      for (const Stmt& x : q->stmts) stmts.push_back(phase(x, c));
      return seq(std::move(stmts));
    }
    if (const If* i = as<If>(s)) {
      return if_(guarded(i->cond, c), phase(i->then_case, c), i->else_case ? phase(i->else_case, c) : Stmt());
    }
    if (const Let* l = as<Let>(s)) return let(l->var, guarded(l->value, c), phase(l->body, c));
    if (const Allocate* a = as<Allocate>(s)) {
      declared_.push_back(a->buffer);
      return allocate(a->buffer, phase(a->body, c));
    }
    MLC_UNREACHABLE("a statement around thread loops that holds no statements");
  }

  Stmt loop(const For& f, const Context& c) {
    For r = f;
    r.kind = f.kind == ForKind::kParallel ? ForKind::kSerial : f.kind;
    r.min = guarded(f.min, c);
    r.extent = guarded(f.extent, c);
    r.body = phase(f.body, c);
    return make_stmt(std::move(r));
  }

  Stmt thread_loop(const For& f, Context c) {
    const ThreadAxis& axis =
        *std::find_if(axes_.begin(), axes_.end(), [&](const ThreadAxis& a) { return a.name == f.thread; });
    if (*as_const_int(f.extent) < axis.extent) c.guard = both(c.guard, Expr(axis.var) < f.extent);
    c.axes.push_back(axis.name);
    const Expr value = is_const(f.min, 0) ? Expr(axis.var) : f.min + Expr(axis.var);
    return phase(substitute(f.body, {{f.var, value}}), c);
  }

  static Expr guarded(const Expr& e, const Context& c) { return c.guard ? GuardLoads(c.guard).mutate(e) : e; }

  Stmt leaf(const Stmt& s, const Context& c) {
    std::string bound;
    Expr guard = c.guard;
    for (const ThreadAxis& a : axes_) {
      if (std::find(c.axes.begin(), c.axes.end(), a.name) != c.axes.end()) {
        bound += (bound.empty() ? "" : " ") + a.name;
      } else {
        guard = both(guard, eq(a.var, 0));
      }
    }
    For wrap{var("leaf"), 0, 1, ForKind::kSerial, guard ? if_(guard, s) : s, "", {{kLeafKey, bound}}};
    return make_stmt(std::move(wrap));
  }

  // Buffers declared around the phases: is every element of a local one touched by one thread only?
  void rescope(BufferMap& changed) {
    ThreadAccesses found;
    for (const ThreadAxis& a : axes_) found.bounds.bind(a.var, 0, a.extent);
    found.visit(body_);
    for (const Buffer& b : declared_) {
      const bool used = std::any_of(found.list.begin(), found.list.end(), [&](const auto& a) { return a.buffer == b; });
      if (!used || b->scope == Scope::kShared || (b->scope == Scope::kLocal && is_private(b, found))) continue;
      changed[b] = with_scope(b, Scope::kShared);
    }
  }

  bool is_private(const Buffer& b, const ThreadAccesses& found) const {
    std::vector<const ThreadAccess*> all;
    for (const ThreadAccess& a : found.list) {
      if (a.buffer == b) all.push_back(&a);
    }
    for (size_t i = 0; i < all.size(); ++i) {
      for (size_t j = i; j < all.size(); ++j) {
        if (!same_thread(*all[i], *all[j], axes_, uniform_, found.bounds)) return false;
      }
    }
    return true;
  }

  std::vector<ThreadAxis> axes_;
  std::vector<Buffer> declared_;
  std::set<Var> uniform_;
  Stmt body_;
};

// Moves buffers to other scopes. What one thread has to itself is local; loops for CPU workers become serial.
class Finisher : public Mutator {
 public:
  explicit Finisher(BufferMap changed) : changed_(std::move(changed)) {}
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const For* f = as<For>(s);
    const bool leaf = f && f->annotations.count(kLeafKey);
    const bool parallel = f && f->kind == ForKind::kParallel;
    in_leaf_ += leaf;
    if (const Allocate* a = as<Allocate>(s); a && in_leaf_ > 0 && a->buffer->scope != Scope::kLocal) {
      changed_[a->buffer] = with_scope(a->buffer, Scope::kLocal);
    }
    const Stmt r = Mutator::mutate(s);
    in_leaf_ -= leaf;
    if (!parallel) return r;
    For serial = *as<For>(r);
    serial.kind = ForKind::kSerial;
    return make_stmt(std::move(serial));
  }
  Buffer mutate_buffer(const Buffer& b) override {
    auto it = changed_.find(b);
    return it == changed_.end() ? b : it->second;
  }

 private:
  int in_leaf_ = 0;
  BufferMap changed_;
};

// Block axes and what may stand around them; the rest is a work-group.
struct Grids {
  std::set<Var> uniform;
  std::vector<Buffer> declared;
  BufferMap changed;

  Stmt run(const Stmt& s) {
    if (const Seq* q = as<Seq>(s); q && contains(s, is_block_axis)) {
      std::vector<Stmt> stmts;
      for (const Stmt& x : q->stmts) stmts.push_back(run(x));
      return seq(std::move(stmts));
    }
    if (const Allocate* a = as<Allocate>(s); a && contains(s, is_block_axis)) {
      declared.push_back(a->buffer);
      return allocate(a->buffer, run(a->body));
    }
    if (const For* f = as<For>(s); f && is_block_axis(*f)) {
      uniform.insert(f->var);
      For r = *f;
      r.body = run(f->body);
      return make_stmt(std::move(r));
    }
    return Group(s, uniform, declared).build(changed);
  }
};

}  // namespace

PrimFunc bind_threads(const PrimFunc& f) {
  PrimFunc result = f;
  Grids grids{{f.sizes.begin(), f.sizes.end()}, {}, {}};
  const Stmt body = grids.run(f.body);
  result.body = Finisher(std::move(grids.changed)).mutate(body);
  return result;
}

}  // namespace mlc::lower
