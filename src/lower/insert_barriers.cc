#include "lower/insert_barriers.h"

#include <algorithm>

#include "lower/thread_access.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

// The phases inside the thread axes of one work-group.
class Synchronizer {
 public:
  Synchronizer(std::vector<ThreadAxis> axes, std::set<Var> uniform, const Stmt& body)
      : axes_(std::move(axes)), uniform_(std::move(uniform)) {
    ThreadAccesses all;
    for (const ThreadAxis& a : axes_) all.bounds.bind(a.var, 0, a.extent);
    all.visit(body);
    bounds_ = all.bounds;
  }

  Stmt run(const Stmt& body) {
    pending_.clear();
    return place(body);
  }

 private:
  using List = std::vector<ThreadAccess>;

  static List accesses(const Stmt& s) {
    ThreadAccesses a;
    a.visit(s);
    return std::move(a.list);
  }
  static List reads(const std::vector<Expr>& es) {
    ThreadAccesses a;
    for (const Expr& e : es) a.visit(e);
    return std::move(a.list);
  }

  bool conflict(const ThreadAccess& a, const ThreadAccess& b) const {
    if (!(a.buffer == b.buffer) || a.buffer->scope == Scope::kLocal || !(a.write || b.write)) return false;
    return !same_thread(a, b, axes_, uniform_, bounds_);
  }

  // The barrier that must stand before these accesses, or null; they are pending then.
  Stmt before(const List& now) {
    bool needed = false;
    Scope scope = Scope::kShared;
    for (const ThreadAccess& a : pending_) {
      for (const ThreadAccess& b : now) {
        if (!conflict(a, b)) continue;
        needed = true;
        if (a.buffer->scope == Scope::kGlobal) scope = Scope::kGlobal;
      }
    }
    // What is in device memory waits for a barrier that orders it.
    if (needed) {
      std::erase_if(pending_, [&](const ThreadAccess& a) {
        return scope == Scope::kGlobal || a.buffer->scope == Scope::kShared;
      });
    }
    pending_.insert(pending_.end(), now.begin(), now.end());
    return needed ? barrier(scope) : Stmt();
  }

  Stmt place(const Stmt& s) {
    if (const For* f = as<For>(s)) return f->annotations.count(kLeafKey) ? leaf(*f, s) : loop(*f);
    if (const Seq* q = as<Seq>(s)) {
      std::vector<Stmt> stmts;
      for (const Stmt& x : q->stmts) stmts.push_back(place(x));
      return seq(std::move(stmts));
    }
    if (const Allocate* a = as<Allocate>(s)) return allocate(a->buffer, place(a->body));
    if (const Let* l = as<Let>(s)) {
      const Stmt first = before(reads({l->value}));
      return seq({first, let(l->var, l->value, place(l->body))});
    }
    if (const If* i = as<If>(s)) return branch(*i);
    const Stmt first = before(accesses(s));
    return seq({first, s});
  }

  Stmt leaf(const For& f, const Stmt& s) {
    const Stmt first = before(accesses(s));
    return seq({first, f.body});
  }

  Stmt branch(const If& i) {
    const Stmt first = before(reads({i.cond}));
    const List at_start = pending_;
    const Stmt then_case = place(i.then_case);
    List after = pending_;
    pending_ = at_start;
    const Stmt else_case = i.else_case ? place(i.else_case) : Stmt();
    pending_.insert(pending_.end(), after.begin(), after.end());
    return seq({first, if_(i.cond, then_case, else_case)});
  }

  // The first iteration meets what was before the loop, the others the end of the one before: barriers are placed again
  // until the end of the body brings nothing that was not there at its start.
  Stmt loop(const For& f) {
    const Stmt first = before(reads({f.min, f.extent}));
    const List at_start = pending_;
    const int64_t* extent = as_const_int(f.extent);
    For r = f;
    for (List entry = at_start;;) {
      pending_ = entry;
      r.body = place(f.body);
      if (extent && *extent <= 1) break;
      const size_t known = entry.size();
      for (const ThreadAccess& a : pending_) {
        if (!includes(entry, a)) entry.push_back(a);
      }
      if (entry.size() == known) break;
    }
    const bool runs = extent && *extent > 0;
    if (!runs) pending_.insert(pending_.end(), at_start.begin(), at_start.end());
    return seq({first, make_stmt(std::move(r))});
  }

  static bool includes(const List& list, const ThreadAccess& x) {
    return std::any_of(list.begin(), list.end(), [&](const ThreadAccess& a) {
      return a.buffer == x.buffer && a.write == x.write && a.axes == x.axes && a.all_threads == x.all_threads &&
             a.last_lane == x.last_lane &&
             std::equal(a.indices.begin(), a.indices.end(), x.indices.begin(), x.indices.end(),
                        [](const Expr& p, const Expr& q) { return p.same_as(q); });
    });
  }

  std::vector<ThreadAxis> axes_;
  std::set<Var> uniform_;
  arith::Bounds bounds_;
  List pending_;
};

// Finds the thread axes and puts barriers inside.
struct Groups {
  std::set<Var> uniform;
  std::vector<ThreadAxis> axes;

  Stmt run(const Stmt& s) {
    if (const Seq* q = as<Seq>(s); q && axes.empty() && has_thread_loop(s)) {
      std::vector<Stmt> stmts;
      for (const Stmt& x : q->stmts) stmts.push_back(run(x));
      return seq(std::move(stmts));
    }
    if (const Allocate* a = as<Allocate>(s); a && axes.empty()) return allocate(a->buffer, run(a->body));
    const For* f = as<For>(s);
    if (!f || f->kind != ForKind::kThread) return Synchronizer(axes, uniform, s).run(s);
    const bool thread = is_thread_axis(*f);
    if (thread) {
      axes.push_back({f->thread, f->var, *as_const_int(f->extent)});
    } else {
      uniform.insert(f->var);
    }
    For r = *f;
    r.body = run(f->body);
    if (thread) axes.pop_back();
    return make_stmt(std::move(r));
  }

  static bool has_thread_loop(const Stmt& s) {
    bool found = false;
    for_each_stmt(s, [&](const Stmt& x) {
      const For* f = as<For>(x);
      found = found || (f && f->kind == ForKind::kThread);
    });
    return found;
  }
};

// Shared buffers are declared around the thread axes: all threads mean the same one.
class Hoister : public Mutator {
 public:
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    if (const Allocate* a = as<Allocate>(s); a && inside_ && a->buffer->scope == Scope::kShared) {
      hoisted_.push_back(a->buffer);
      return mutate(a->body);
    }
    const For* f = as<For>(s);
    if (!f || !is_thread_axis(*f) || inside_) return Mutator::mutate(s);
    inside_ = true;
    Stmt r = Mutator::mutate(s);
    inside_ = false;
    for (auto b = hoisted_.rbegin(); b != hoisted_.rend(); ++b) r = allocate(*b, r);
    hoisted_.clear();
    return r;
  }

 private:
  bool inside_ = false;
  std::vector<Buffer> hoisted_;
};

class DivergenceFinder {
 public:
  const StmtNode* found = nullptr;

  void visit(const Stmt& s, std::set<Var> threads, bool divergent) {
    if (!s || found) return;
    if (as<Barrier>(s) && divergent) found = s.get();
    if (const For* f = as<For>(s)) {
      const bool differs = f->kind != ForKind::kThread && (differ(f->min, threads) || differ(f->extent, threads));
      if (is_thread_axis(*f)) threads.insert(f->var);
      visit(f->body, threads, divergent || differs);
    } else if (const If* i = as<If>(s)) {
      const bool differs = divergent || differ(i->cond, threads);
      visit(i->then_case, threads, differs);
      visit(i->else_case, threads, differs);
    } else if (const Seq* q = as<Seq>(s)) {
      for (const Stmt& x : q->stmts) visit(x, threads, divergent);
    } else if (const Allocate* a = as<Allocate>(s)) {
      visit(a->body, threads, divergent);
    } else if (const Let* l = as<Let>(s)) {
      if (differ(l->value, threads)) threads.insert(l->var);
      visit(l->body, threads, divergent);
    }
  }

 private:
  static bool differ(const Expr& e, const std::set<Var>& threads) {
    for (const Var& v : free_vars(e)) {
      if (threads.count(v)) return true;
    }
    bool local = false;
    for_each_expr(e, [&](const Expr& x) {
      const Load* l = as<Load>(x);
      local = local || (l && l->buffer->scope == Scope::kLocal);
    });
    return local;
  }
};

}  // namespace

PrimFunc insert_barriers(const PrimFunc& f) {
  PrimFunc result = f;
  Groups groups{{f.sizes.begin(), f.sizes.end()}, {}};
  result.body = Hoister().mutate(groups.run(f.body));
  return result;
}

const StmtNode* divergent_barrier(const PrimFunc& f) {
  DivergenceFinder finder;
  finder.visit(f.body, {}, false);
  return finder.found;
}

}  // namespace mlc::lower
