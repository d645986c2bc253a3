#include "schedule/legality.h"

#include <algorithm>

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::Bounds;
using arith::prove;

// ---- Blocks

namespace {

bool commutes(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
    case BinaryOp::kMul:
    case BinaryOp::kMin:
    case BinaryOp::kMax:
    case BinaryOp::kAnd:
    case BinaryOp::kOr:
    case BinaryOp::kXor:
      return true;
    default:
      return false;
  }
}

bool same_indices(const std::vector<Expr>& a, const std::vector<Expr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Expr& x, const Expr& y) { return equal(x, y); });
}

bool loads(const Expr& e, const Buffer& b) {
  bool found = false;
  for_each_expr(e, [&](const Expr& x) {
    if (const Load* l = as<Load>(x)) found |= l->buffer == b;
    if (const LoadBits* l = as<LoadBits>(x)) found |= l->buffer == b;
  });
  return found;
}

bool is_self(const Expr& e, const Store& st) {
  const Load* l = as<Load>(e);
  return l && !l->predicate && l->buffer == st.buffer && same_indices(l->indices, st.indices);
}

std::optional<Update> match_store(const Store& st) {
  const Binary* b = as<Binary>(st.value);
  if (b && commutes(b->op)) {
    if (is_self(b->a, st) && !loads(b->b, st.buffer)) return Update{&st, b->op, b->b};
    if (is_self(b->b, st) && !loads(b->a, st.buffer)) return Update{&st, b->op, b->a};
  }
  // fma(a, b, C), dot4_*(C, a, b) and dot2_*(C, a, b) accumulate by addition.
  const Call* c = as<Call>(st.value);
  if (!c || c->args.size() != 3) return std::nullopt;
  const size_t self = c->intrinsic == "fma" ? 2 : c->intrinsic.rfind("dot", 0) == 0 ? 0 : 3;
  for (size_t i = 0; i < 3; ++i) {
    if (i == self ? !is_self(c->args[i], st) : loads(c->args[i], st.buffer)) return std::nullopt;
  }
  if (self == 3) return std::nullopt;
  return Update{&st, BinaryOp::kAdd, {}};
}

// Every store accumulates commutatively, and none reads what another one writes.
bool accumulates(const Stmt& body, const std::set<Buffer>& written) {
  bool fine = true;
  std::set<Buffer> seen;
  for_each_stmt(body, [&](const Stmt& s) {
    const Store* st = as<Store>(s);
    if (!st) return;
    fine &= match_store(*st).has_value();
    fine &= seen.insert(st->buffer).second;
    for (const Buffer& w : written) {
      if (!(w == st->buffer)) fine &= !loads(st->value, w);
    }
  });
  return fine;
}

bool has_nested_block(const Stmt& body) {
  bool found = false;
  for_each_stmt(body, [&](const Stmt& s) { found |= as<Block>(s) != nullptr; });
  return found;
}

std::set<Var> vars_of_kind(const Block& b, IterKind kind) {
  std::set<Var> out;
  for (const IterVar& it : b.iters) {
    if (it.kind == kind) out.insert(it.var);
  }
  return out;
}

BlockClass opaque(std::string reason) { return {BlockKind::kOpaque, std::move(reason), false}; }

// The accesses of a block in its own variables.
struct Inside {
  const PrimFunc& f;
  const Block& b;
  LoopExtents iters;
  Bounds bounds;

  Inside(const PrimFunc& func, const Path& path) : f(func), b(block_of(path)), bounds(bounds_along(func, path)) {
    for (const IterVar& it : b.iters) iters[it.var] = it.extent;
  }
  std::vector<IterSum> sums(const Access& a, Bounds& with) const {
    LoopExtents loops = iters;
    for (const auto& [v, e] : a.inner) {
      loops[v] = e;
      with.bind(v, 0, e);
    }
    std::vector<IterSum> out;
    for (const Expr& i : a.indices) {
      if (auto s = parse_iter(i, loops, with)) out.push_back(*s);
    }
    return out;
  }
  bool determined(const Access& a, const Var& v) const {
    Bounds with = bounds;
    return determine(sums(a, with), {v}, iters, {}, with);
  }
};

// The access names the same element part as `write` in every dimension that tells instances apart.
bool same_instance(const Access& a, const Access& write, const std::set<Var>& spatial) {
  for (size_t d = 0; d < write.indices.size(); ++d) {
    bool tells = false;
    for (const Var& v : free_vars(write.indices[d])) tells |= spatial.count(v) > 0;
    if (tells && !equal(a.indices[d], write.indices[d])) return false;
  }
  return true;
}

}  // namespace

std::optional<Update> match_update(const Stmt& body) {
  const Store* st = as<Store>(body);
  if (!st || st->predicate) return std::nullopt;
  return match_store(*st);
}

std::set<Var> reduce_loops(const Block& block) {
  std::set<Var> out;
  for (const IterVar& it : block.iters) {
    if (it.kind != IterKind::kReduce) continue;
    for (const Var& v : free_vars(it.binding)) out.insert(v);
  }
  return out;
}

std::optional<Var> outer_reduction(const PrimFunc& f, const Path& block_path) {
  const Block& b = block_of(block_path);
  std::set<Var> known(f.sizes.begin(), f.sizes.end());
  for (const For* loop : loops_above(block_path)) known.insert(loop->var);
  for (const IterVar& it : b.iters) {
    if (it.kind != IterKind::kReduce) continue;
    for (const Var& v : free_vars(it.binding)) {
      if (!known.count(v)) return it.var;
    }
  }
  return std::nullopt;
}

BlockClass classify(const PrimFunc& f, const Path& block_path) {
  Inside in(f, block_path);
  const Block& b = in.b;
  const std::set<Var> spatial = vars_of_kind(b, IterKind::kSpatial), reduce = vars_of_kind(b, IterKind::kReduce);
  const bool declared = b.annotations.count("tensorized") > 0 || has_nested_block(b.body);
  std::vector<Access> accesses = accesses_of(b);
  BlockClass out{BlockKind::kComplete, {}, false};
  std::set<Buffer> written;
  for (const Access& w : accesses) {
    if (!w.write) continue;
    written.insert(w.buffer);
    for (const Var& v : reduce) {
      for (const Expr& i : w.indices) {
        if (uses_var(i, v)) {
          return opaque(
              fmt::format("its reduce variable {} chooses the element of {} that it writes", v.name(), w.buffer->name));
        }
      }
    }
    for (const Var& v : spatial) {
      if (!in.determined(w, v)) {
        return opaque(fmt::format("different values of its variable {} may write the same element of {}", v.name(),
                                  w.buffer->name));
      }
    }
  }
  for (const Access& r : accesses) {
    if (!written.count(r.buffer)) continue;
    for (const Access& w : accesses) {
      if (!w.write || !(w.buffer == r.buffer)) continue;
      if (!same_instance(r, w, spatial)) {
        return opaque(fmt::format("it {} elements of {} that belong to other instances", r.write ? "writes" : "reads",
                                  r.buffer->name));
      }
    }
    if (!r.write && !r.in_init) out.in_place = true;
  }
  if (reduce.empty()) return out;
  out.in_place = false;
  if (declared) {
    out.kind = b.annotations.count("ordered") ? BlockKind::kOrdered : BlockKind::kReduction;
    return out;
  }
  out.kind = BlockKind::kReduction;
  if (!accumulates(b.body, written)) {
    out.kind = BlockKind::kOrdered;
    out.reason = "its update is no plain accumulation, so that the order of its reduce variables matters";
  }
  return out;
}

// ---- Lists of blocks

std::vector<Path> scope_blocks(const State& s, const Path& path) {
  const Block* scope = scope_of(path);
  if (!scope) return blocks_in(s.func.body);
  std::vector<Path> out;
  auto to_scope = path_to_block(s.func.body, scope->name);
  for (Path& p : blocks_in(scope->body)) {
    Path full = *to_scope;
    full.insert(full.end(), p.begin(), p.end());
    out.push_back(std::move(full));
  }
  return out;
}

std::vector<Buffer> written_buffers(const Block& block) {
  std::vector<Buffer> out;
  for (const Access& a : accesses_of(block)) {
    if (a.write && std::find(out.begin(), out.end(), a.buffer) == out.end()) out.push_back(a.buffer);
  }
  return out;
}
std::vector<Buffer> read_buffers(const Block& block) {
  std::vector<Buffer> out;
  for (const Access& a : accesses_of(block)) {
    if (!a.write && std::find(out.begin(), out.end(), a.buffer) == out.end()) out.push_back(a.buffer);
  }
  return out;
}

std::vector<const Path*> readers(const std::vector<Path>& blocks, const Buffer& b) {
  std::vector<const Path*> out;
  for (const Path& p : blocks) {
    if (touches(accesses_of(block_of(p)), b, false)) out.push_back(&p);
  }
  return out;
}
std::vector<const Path*> writers(const std::vector<Path>& blocks, const Buffer& b) {
  std::vector<const Path*> out;
  for (const Path& p : blocks) {
    if (touches(accesses_of(block_of(p)), b, true)) out.push_back(&p);
  }
  return out;
}

// ---- Iterations of a loop

namespace {

struct Member {  // a block under a loop
  Path path;
  View view;
  std::vector<Access> accesses;
  BlockClass cls;
};

std::vector<Member> members_under(const State& s, const Path& loop_path, const For* from) {
  std::vector<Member> out;
  for (const Path& p : blocks_in(loop_path.back())) {
    Path full(loop_path.begin(), loop_path.end() - 1);
    full.insert(full.end(), p.begin(), p.end());
    View view(s.func, full, from);
    std::vector<Access> accesses = accesses_of(block_of(full));
    BlockClass cls = classify(s.func, full);
    out.push_back({std::move(full), std::move(view), std::move(accesses), std::move(cls)});
  }
  return out;
}

bool declared_inside(const Stmt& body, const Buffer& b) {
  bool found = false;
  for_each_stmt(body, [&](const Stmt& s) {
    if (const Allocate* a = as<Allocate>(s)) found |= a->buffer == b;
    if (const Block* k = as<Block>(s)) found |= std::find(k->allocs.begin(), k->allocs.end(), b) != k->allocs.end();
  });
  return found;
}

bool subset(const std::set<Var>& a, const std::set<Var>& b) {
  return std::all_of(a.begin(), a.end(), [&](const Var& v) { return b.count(v) > 0; });
}

// The largest exactly known region of `b` that the block writes in one iteration.
std::optional<Box> written_box(const Member& m, const Buffer& b) {
  std::optional<Box> best;
  for (const Access& w : m.accesses) {
    if (!w.write || !(w.buffer == b)) continue;
    Box one = m.view.box(w);
    if (!one.exact) continue;
    if (!best || covers(one, *best, b, m.view.bounds())) best = one;
  }
  return best;
}

// What one iteration touches of `b` lies within what a block of the same iteration writes.
bool iteration_covers(const std::vector<Member>& members, const Buffer& b, std::string* why) {
  std::optional<Box> box;
  const Member* writer = nullptr;
  for (const Member& m : members) {
    if (auto one = written_box(m, b); one && (!box || covers(*one, *box, b, m.view.bounds()))) {
      box = one;
      writer = &m;
    }
  }
  for (const Member& m : members) {
    for (const Access& a : m.accesses) {
      if (!(a.buffer == b)) continue;
      if (box && covers(*box, m.view.box(a), b, m.view.bounds())) continue;
      *why = fmt::format("block {} touches elements of {} that {} in the same iteration", m.view.block().name, b->name,
                         writer ? fmt::format("block {} does not write", writer->view.block().name)
                                : std::string("no block is known to write"));
      return false;
    }
  }
  return true;
}

// Besides, the first to touch it in the iteration overwrites it: no value comes in from elsewhere.
bool iteration_owns(const std::vector<Member>& members, const Buffer& b, std::string* why) {
  if (!iteration_covers(members, b, why)) return false;
  for (const Member& m : members) {
    const bool reads = touches(m.accesses, b, false), writes = touches(m.accesses, b, true);
    if (!reads && !writes) continue;
    const bool restarts = m.cls.kind == BlockKind::kReduction && m.view.block().init &&
                          subset(reduce_loops(m.view.block()), m.view.inner());
    const bool plain = m.cls.kind == BlockKind::kComplete && !reads;
    std::optional<Box> box = written_box(m, b);
    if ((plain || restarts) && box) {
      bool all = true;
      for (const Member& other : members) {
        for (const Access& a : other.accesses) {
          if (a.buffer == b) all &= covers(*box, other.view.box(a), b, other.view.bounds());
        }
      }
      if (all) return true;
    }
    *why = fmt::format("block {} uses elements of {} from other iterations", m.view.block().name, b->name);
    return false;
  }
  return true;
}

bool used_outside(const State& s, const Stmt& loop, const Buffer& b) {
  int all = 0, inside = 0;
  auto count = [&](const Stmt& root, int& n) {
    for (const Path& p : blocks_in(root)) {
      const std::vector<Access> a = accesses_of(block_of(p));
      n += touches(a, b, false) || touches(a, b, true);
    }
  };
  // Nested scopes: counting from the outermost block that holds the loop.
  count(loop, inside);
  auto path = path_to(s.func.body, [&](const Stmt& x) { return x.same_as(loop); });
  const Block* scope = path ? scope_of(*path) : nullptr;
  count(scope ? scope->body : s.func.body, all);
  if (scope && std::find(scope->allocs.begin(), scope->allocs.end(), b) == scope->allocs.end()) return true;
  return all != inside;
}

struct LoopCheck {
  const State& s;
  const Path& path;
  const For& loop;
  ForKind kind;
  const std::string& thread;
  std::string label;
  std::vector<Member> members;

  Result<void> run() {
    if (Stmt loose = loose_statement(loop.body)) {
      return error("{} holds a statement outside of all blocks, whose effects are not known", label);
    }
    std::vector<Buffer> written;
    for (const Member& m : members) {
      MLC_TRY_VOID(check_block(m));
      for (const Access& a : m.accesses) {
        if (a.write && std::find(written.begin(), written.end(), a.buffer) == written.end())
          written.push_back(a.buffer);
      }
    }
    for (const Buffer& b : written) MLC_TRY_VOID(check_buffer(b));
    return {};
  }

  Result<void> check_block(const Member& m) {
    const Block& b = m.view.block();
    if (m.cls.kind == BlockKind::kOpaque) return error("{}: block {} is in the way: {}", label, b.name, m.cls.reason);
    for (const IterVar& it : b.iters) {
      if (it.kind == IterKind::kReduce && uses_var(it.binding, loop.var)) {
        return error("{} carries the reduce variable {} of block {}: its iterations add to the same elements", label,
                     it.var.name(), b.name);
      }
    }
    return {};
  }

  Result<void> check_buffer(const Buffer& b) {
    if (declared_inside(loop.body, b)) return {};
    std::string why;
    const bool owns = iteration_owns(members, b, &why);
    const bool covered = owns || iteration_covers(members, b, &why);
    bool distinct = true;
    const Member* bad = nullptr;
    for (const Member& m : members) {
      for (const Access& a : m.accesses) {
        if (!a.write || !(a.buffer == b) || m.view.distinct_elements(a, {loop.var})) continue;
        distinct = false;
        if (!bad) bad = &m;
      }
    }
    if (distinct && (covered || same_elements(b))) return {};
    if (owns && private_copy(b)) return {};
    if (!distinct) {
      return error(
          "{} has a write conflict: different iterations write the same elements of {} (block {}){}", label, b->name,
          bad->view.block().name,
          owns && b->scope == Scope::kGlobal ? "; a buffer of local scope would be private to an iteration" : "");
    }
    return error("{} carries a dependence: {}", label, why);
  }

  // All accesses have the same indices: each iteration stays within its own elements.
  bool same_elements(const Buffer& b) {
    std::vector<Expr> first;
    for (const Member& m : members) {
      for (const Access& a : m.accesses) {
        if (!(a.buffer == b)) continue;
        std::vector<Expr> now = m.view.in_loops(a);
        if (!a.inner.empty()) return false;
        for (Expr& e : now) e = arith::simplify(e, m.view.bounds());
        if (first.empty()) first = now;
        if (!same_indices(first, now)) return false;
      }
    }
    return true;
  }

  // Later the buffer moves into the iteration (schedule/compact.h).
  bool private_copy(const Buffer& b) {
    if (kind == ForKind::kVectorized || used_outside(s, path.back(), b) || is_parameter(s.func, b)) return false;
    if (b->scope == Scope::kLocal) return true;
    return b->scope == Scope::kShared && thread.rfind("blockIdx", 0) == 0;
  }
};

}  // namespace

Result<void> check_independent(const State& s, const Path& loop_path, ForKind kind, const std::string& thread) {
  const For& loop = *as<For>(loop_path.back());
  if (kind == ForKind::kVectorized || kind == ForKind::kUnrolled) {
    if (!as_const_int(loop.extent)) {
      return error("{} has no constant extent, which {} needs", s.label(loop.var),
                   kind == ForKind::kVectorized ? "vectorize" : "unroll");
    }
  }
  if (kind == ForKind::kSerial || kind == ForKind::kUnrolled) return {};
  if (kind == ForKind::kVectorized) {  // a lane can hold no threads, and no lanes
    std::optional<Var> inside;
    for_each_stmt(loop.body, [&](const Stmt& x) {
      const For* f = as<For>(x);
      if (f && f->kind != ForKind::kSerial && f->kind != ForKind::kUnrolled) inside = f->var;
    });
    if (inside) {
      return error("{} holds {}, which is parallel, vectorized or bound to a thread", s.label(loop.var),
                   s.label(*inside));
    }
  }
  LoopCheck check{s, loop_path, loop, kind, thread, s.label(loop.var), members_under(s, loop_path, &loop)};
  return check.run();
}

Result<void> check_all_loops(const State& s) {
  Result<void> result;
  std::vector<Var> loops;
  for_each_stmt(s.func.body, [&](const Stmt& x) {
    const For* f = as<For>(x);
    if (f && f->kind != ForKind::kSerial && !s.given_loops.count(f->var)) loops.push_back(f->var);
  });
  for (const Var& v : loops) {
    Path path = *path_to_loop(s.func.body, v);
    const For& f = *as<For>(path.back());
    MLC_TRY_VOID(check_independent(s, path, f.kind, f.thread));
  }
  return {};
}

// ---- Order of loops

namespace {

bool keeps_order(const std::vector<const For*>& chain, const std::vector<int>& order, const std::set<Var>& vars) {
  int last = -1;
  for (int i : order) {
    if (!vars.count(chain[static_cast<size_t>(i)]->var)) continue;
    if (i < last) return false;
    last = i;
  }
  return true;
}

}  // namespace

Result<void> check_reorder(const State& s, const std::vector<const For*>& chain, const std::vector<int>& order,
                           const Path& bottom_path) {
  std::set<Var> moved;
  for (const For* f : chain) moved.insert(f->var);
  if (loose_statement(chain.back()->body)) {
    return error("{} holds a statement outside of all blocks, whose effects are not known", s.label(chain.back()->var));
  }
  std::vector<Member> members = members_under(s, bottom_path, chain.back());
  for (const Member& m : members) {
    const Block& b = m.view.block();
    const std::string where = fmt::format("block {} under {}", b.name, s.label(chain.back()->var));
    const std::set<Var> reduce = reduce_loops(b);
    if (m.cls.kind == BlockKind::kOpaque) return error("{} is in the way: {}", where, m.cls.reason);
    if (m.cls.kind == BlockKind::kOrdered && !keeps_order(chain, order, reduce)) {
      return error("{} is in the way: {}", where, m.cls.reason);
    }
    const bool once = m.cls.kind != BlockKind::kComplete || m.cls.in_place;
    if (once) {
      std::set<Var> needed = moved;
      needed.insert(m.view.inner().begin(), m.view.inner().end());
      if (!m.view.distinct_instances(needed)) {
        return error("{} runs some of its instances more than once under these loops, so that their order matters",
                     where);
      }
    }
  }
  if (members.size() == 1) return {};
  std::vector<Buffer> written;
  for (const Member& m : members) {
    for (const Access& a : m.accesses) {
      if (a.write && std::find(written.begin(), written.end(), a.buffer) == written.end()) written.push_back(a.buffer);
    }
  }
  for (const Buffer& b : written) {
    size_t users = 0;
    for (const Member& m : members) users += touches(m.accesses, b, true) || touches(m.accesses, b, false);
    if (users == 1) continue;
    std::string why;
    if (!iteration_owns(members, b, &why)) {
      return error("{}: a dependence would be violated: {}", s.label(chain.front()->var), why);
    }
    for (const Member& m : members) {
      for (const Var& v : reduce_loops(m.view.block())) {
        if (moved.count(v) && touches(m.accesses, b, true)) {
          return error("{} carries a reduction of block {} into {}, which another block under it uses", s.label(v),
                       m.view.block().name, b->name);
        }
      }
    }
  }
  return {};
}

}  // namespace mlc::schedule
