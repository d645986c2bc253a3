#include "schedule/tree.h"

#include <algorithm>

namespace mlc::schedule {

using namespace ir;  // NOLINT: this folder rewrites the IR

std::vector<Stmt> children(const Stmt& s) {
  std::vector<Stmt> out;
  auto add = [&](const Stmt& c) {
    if (c) out.push_back(c);
  };
  if (const For* x = as<For>(s)) add(x->body);
  if (const If* x = as<If>(s)) add(x->then_case), add(x->else_case);
  if (const Seq* x = as<Seq>(s)) out = x->stmts;
  if (const Allocate* x = as<Allocate>(s)) add(x->body);
  if (const Let* x = as<Let>(s)) add(x->body);
  if (const Block* x = as<Block>(s)) add(x->body);
  return out;
}

namespace {

bool walk(const Stmt& s, const std::function<bool(const Stmt&)>& wanted, Path& path) {
  path.push_back(s);
  if (wanted(s)) return true;
  for (const Stmt& c : children(s)) {
    if (walk(c, wanted, path)) return true;
  }
  path.pop_back();
  return false;
}

}  // namespace

std::optional<Path> path_to(const Stmt& root, const std::function<bool(const Stmt&)>& wanted) {
  Path path;
  if (!root || !walk(root, wanted, path)) return std::nullopt;
  return path;
}
std::optional<Path> path_to_loop(const Stmt& root, const Var& loop) {
  return path_to(root, [&](const Stmt& s) {
    const For* f = as<For>(s);
    return f && f->var == loop;
  });
}
std::optional<Path> path_to_block(const Stmt& root, const std::string& name) {
  return path_to(root, [&](const Stmt& s) {
    const Block* b = as<Block>(s);
    return b && b->name == name;
  });
}

namespace {

class Replacer : public Mutator {
 public:
  Stmt old, by;
  using Mutator::mutate;
  Expr mutate(const Expr& e) override { return e; }
  Stmt mutate(const Stmt& s) override { return s.same_as(old) ? by : Mutator::mutate(s); }
};

class BufferSwap : public Mutator {
 public:
  Buffer from, to;
  Buffer mutate_buffer(const Buffer& b) override { return b == from ? to : b; }
};

class Undeclare : public Mutator {
 public:
  Buffer buffer;
  using Mutator::mutate;
  Expr mutate(const Expr& e) override { return e; }
  Stmt mutate(const Stmt& s) override {
    if (const Allocate* a = as<Allocate>(s); a && a->buffer == buffer) return a->body;
    if (const Block* b = as<Block>(s)) {
      auto it = std::find(b->allocs.begin(), b->allocs.end(), buffer);
      if (it != b->allocs.end()) {
        Block n = *b;
        n.allocs.erase(n.allocs.begin() + (it - b->allocs.begin()));
        return make_stmt(std::move(n));
      }
    }
    return Mutator::mutate(s);
  }
};

}  // namespace

Stmt replace(const Stmt& root, const Stmt& old, const Stmt& by) {
  Replacer r;
  r.old = old;
  r.by = by;
  return r.mutate(root);
}

const Block* scope_of(const Path& path) {
  for (size_t i = path.size() - 1; i-- > 0;) {
    if (const Block* b = as<Block>(path[i])) return b;
  }
  return nullptr;
}

std::vector<const For*> loops_above(const Path& path) {
  std::vector<const For*> out;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    if (as<Block>(path[i])) out.clear();
    if (const For* f = as<For>(path[i])) out.push_back(f);
  }
  return out;
}

std::vector<const For*> loops_inside(const Path& path, const For* loop) {
  std::vector<const For*> all = loops_above(path);
  if (!loop) return all;
  auto it = std::find_if(all.begin(), all.end(), [&](const For* f) { return f->var == loop->var; });
  if (it == all.end()) return all;
  return {it + 1, all.end()};
}

namespace {

void collect_blocks(const Stmt& s, Path& path, std::vector<Path>& out) {
  path.push_back(s);
  if (as<Block>(s)) {
    out.push_back(path);
  } else {
    for (const Stmt& c : children(s)) collect_blocks(c, path, out);
  }
  path.pop_back();
}

}  // namespace

std::vector<Path> blocks_in(const Stmt& root) {
  std::vector<Path> out;
  Path path;
  if (root) collect_blocks(root, path, out);
  return out;
}

bool contains(const Stmt& root, const Stmt& node) {
  return path_to(root, [&](const Stmt& s) { return s.same_as(node); }).has_value();
}

Stmt loose_statement(const Stmt& root) {
  if (!root || as<Block>(root)) return {};
  if (as<Store>(root) || as<Barrier>(root) || as<Evaluate>(root)) return root;
  for (const Stmt& c : children(root)) {
    if (Stmt s = loose_statement(c)) return s;
  }
  return {};
}

arith::Bounds bounds_along(const PrimFunc& f, const Path& path) {
  arith::Bounds b;
  b.bind_sizes(f);
  for (const Stmt& s : path) {
    if (const For* loop = as<For>(s)) b.bind(loop->var, loop->min, loop->extent);
    if (const Block* block = as<Block>(s)) {
      for (const IterVar& it : block->iters) b.bind(it.var, 0, it.extent);
    }
  }
  return b;
}

std::string unique_name(const PrimFunc& f, const std::string& base) {
  std::set<std::string> taken;
  for (const Buffer& b : f.buffers) taken.insert(b->name);
  for_each_stmt(f.body, [&](const Stmt& s) {
    if (const Block* b = as<Block>(s)) {
      taken.insert(b->name);
      for (const Buffer& x : b->allocs) taken.insert(x->name);
    }
    if (const Allocate* a = as<Allocate>(s)) taken.insert(a->buffer->name);
  });
  if (!taken.count(base)) return base;
  for (int i = 1;; ++i) {
    std::string name = fmt::format("{}_{}", base, i);
    if (!taken.count(name)) return name;
  }
}

bool is_parameter(const PrimFunc& f, const Buffer& b) {
  return std::find(f.buffers.begin(), f.buffers.end(), b) != f.buffers.end();
}
Stmt declare(const Stmt& body, const Buffer& b) { return allocate(b, body); }
Stmt undeclare(const Stmt& body, const Buffer& b) {
  Undeclare m;
  m.buffer = b;
  return m.mutate(body);
}
Stmt swap_buffer(const Stmt& body, const Buffer& from, const Buffer& to) {
  BufferSwap m;
  m.from = from;
  m.to = to;
  return m.mutate(body);
}

std::vector<Expr> conjuncts(const Expr& predicate) {
  if (!predicate) return {};
  if (const Binary* b = as<Binary>(predicate); b && b->op == BinaryOp::kAnd) {
    std::vector<Expr> out = conjuncts(b->a);
    for (Expr& e : conjuncts(b->b)) out.push_back(std::move(e));
    return out;
  }
  return {predicate};
}
Expr conjunction(const std::vector<Expr>& parts) {
  Expr out;
  for (const Expr& p : parts) out = out ? logical_and(out, p) : p;
  return out;
}

Stmt with_body(const For& loop, Stmt body) {
  if (!body) return {};
  For f = loop;
  f.body = std::move(body);
  return make_stmt(std::move(f));
}

Stmt add_predicate(const Stmt& s, const Expr& cond) {
  if (!s) return s;
  if (const For* f = as<For>(s)) return with_body(*f, add_predicate(f->body, cond));
  if (const Seq* q = as<Seq>(s)) {
    std::vector<Stmt> out;
    for (const Stmt& c : q->stmts) out.push_back(add_predicate(c, cond));
    return seq(std::move(out));
  }
  if (const Allocate* a = as<Allocate>(s)) return allocate(a->buffer, add_predicate(a->body, cond));
  if (const Block* b = as<Block>(s)) {
    Block n = *b;
    n.predicate = n.predicate ? logical_and(n.predicate, cond) : cond;
    return make_stmt(std::move(n));
  }
  return if_(cond, s);
}

namespace {

Stmt insert(const Stmt& body, const Stmt& added, const std::function<bool(const Stmt&)>& wanted, bool before) {
  if (const Allocate* a = as<Allocate>(body)) return allocate(a->buffer, insert(a->body, added, wanted, before));
  const Seq* q = as<Seq>(body);
  std::vector<Stmt> stmts = q ? q->stmts : std::vector<Stmt>{body};
  size_t at = before ? 0 : stmts.size();
  if (before) {
    while (at < stmts.size() && !wanted(stmts[at])) ++at;
  } else {
    while (at > 0 && !wanted(stmts[at - 1])) --at;
  }
  stmts.insert(stmts.begin() + static_cast<std::ptrdiff_t>(at), added);
  return seq(std::move(stmts));
}

}  // namespace

Stmt insert_before(const Stmt& body, const Stmt& added, const std::function<bool(const Stmt&)>& wanted) {
  return insert(body, added, wanted, true);
}
Stmt insert_after(const Stmt& body, const Stmt& added, const std::function<bool(const Stmt&)>& wanted) {
  return insert(body, added, wanted, false);
}

Block with_regions(Block block) {
  Regions r = derive_regions({block.init, block.body});
  block.reads = std::move(r.reads);
  block.writes = std::move(r.writes);
  return block;
}

namespace {

class DeriveRegions : public Mutator {
 public:
  bool only_missing = false;
  using Mutator::mutate;
  Expr mutate(const Expr& e) override { return e; }
  Stmt mutate(const Stmt& s) override {
    Stmt out = Mutator::mutate(s);
    const Block* b = as<Block>(out);
    if (!b || b->annotations.count("tensorized")) return out;
    if (only_missing && (!b->reads.empty() || !b->writes.empty())) return out;
    return make_stmt(with_regions(*b));
  }
};

}  // namespace

Stmt derive_block_regions(const Stmt& body, bool only_missing) {
  DeriveRegions m;
  m.only_missing = only_missing;
  return m.mutate(body);
}

Stmt nest(const std::vector<LoopSpec>& loops, Stmt body) {
  for (size_t i = loops.size(); i-- > 0;) body = for_(loops[i].var, 0, loops[i].extent, std::move(body));
  return body;
}

}  // namespace mlc::schedule
