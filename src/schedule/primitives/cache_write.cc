#include "schedule/primitives/cache_write.h"

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

const char* suffix(Scope s) { return s == Scope::kLocal ? "local" : s == Scope::kShared ? "shared" : "copy"; }

// The element that the block writes, in its own variables; one place in the code, or several with equal indices.
Result<std::vector<Expr>> written_element(const BlockAt& at, const Buffer& b) {
  std::vector<Expr> out;
  for (const Access& a : accesses_of(*at.node)) {
    if (!a.write || !(a.buffer == b)) continue;
    if (a.conditional || !a.inner.empty()) {
      return error("{} does not write one element of {} unconditionally in each instance", at.label, b->name);
    }
    if (out.empty()) out = a.indices;
    for (size_t d = 0; d < out.size(); ++d) {
      if (!equal(out[d], a.indices[d])) return error("{} writes different elements of {}", at.label, b->name);
    }
  }
  return out;
}

// A block over the spatial variables of `like` that copies the element.
Stmt copy_like(const std::string& name, const Block& like, const std::vector<Expr>& element, const Buffer& from,
               const Buffer& to) {
  std::vector<IterSpec> iters;
  std::vector<Var> old;
  for (const IterVar& it : like.iters) {
    if (it.kind == IterKind::kReduce) continue;
    const std::string& n = it.var.name();
    iters.push_back({n.size() > 1 && n[0] == 'v' ? n.substr(1) : n, it.extent, IterKind::kSpatial});
    old.push_back(it.var);
  }
  return block(name, iters, [&](const std::vector<Var>& v) {
    VarMap map;
    for (size_t i = 0; i < v.size(); ++i) map[old[i]] = v[i];
    std::vector<Expr> at;
    for (const Expr& e : element) at.push_back(substitute(e, map));
    return BlockBody{{}, store(to, at, load(from, at))};
  });
}

}  // namespace

Result<Change> apply(const State& s, const CacheWrite& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(Buffer b, buffer_named(at, x.buffer, false, true));
  if (at.node->annotations.count("tensorized")) return error("{} is tensorized; cache before that", at.label);
  if (scope_of(at.path)) return error("{} stands inside another block; its buffers cannot be cached", at.label);
  if (s.guarded_blocks.count(at.node->name)) return error("{} was given with a predicate", at.label);
  MLC_TRY(std::vector<Expr> element, written_element(at, b));
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce && !at.node->init) {
      return error("{} adds to old contents of {}: its init stands elsewhere", at.label, b->name);
    }
  }
  BlockClass cls = classify(s.func, at.path);
  if (cls.kind == BlockKind::kOpaque) return error("{} cannot be cached: {}", at.label, cls.reason);
  if (cls.in_place) return error("{} updates {} in place", at.label, b->name);
  Stmt top = top_statement(at.path);
  for (const Path& p : scope_blocks(s, at.path)) {
    if (p.back().same_as(at.path.back())) continue;
    const std::vector<Access> accesses = accesses_of(block_of(p));
    if (touches(accesses, b, true)) {
      return error("{} is not the only writer of {}: block {} writes it too", at.label, b->name, block_of(p).name);
    }
    if (contains(top, p.back()) && touches(accesses, b, false)) {
      return error("{}: block {} in the same nest reads {}, so that a copy after the nest would be too late", at.label,
                   block_of(p).name, b->name);
    }
  }
  const std::string name = unique_name(s.func, fmt::format("{}_{}", b->name, suffix(x.scope)));
  Buffer copy = derived_buffer(b, name, b->shape, x.scope);
  Stmt body = replace(s.func.body, at.path.back(), swap_buffer(at.path.back(), b, copy));
  State next = s;
  next.func.body = body;
  MLC_TRY(BlockAt moved, next.find_block(at.node->name));
  Stmt new_top = top_statement(moved.path);
  Stmt stored = seq({new_top, copy_like(name, *at.node, element, copy, b)});
  return Change{declare(replace(body, new_top, stored), copy), {name}, {}};
}

}  // namespace mlc::schedule
