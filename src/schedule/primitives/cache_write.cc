#include "schedule/primitives/cache_write.h"

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

const char* suffix(Scope s) { return s == Scope::kLocal ? "local" : s == Scope::kShared ? "shared" : "copy"; }

// What the block writes of each dimension: the extent of the variable that indexes it.
Result<std::vector<Expr>> written_extents(const BlockAt& at, const Buffer& b) {
  std::vector<Expr> out;
  for (const Access& a : accesses_of(*at.node)) {
    if (!a.write || !(a.buffer == b)) continue;
    auto dims = plain_indices(*at.node, b, a.indices);
    if (!dims || a.conditional) {
      return error("{} does not write {} unconditionally through each of its variables once", at.label, b->name);
    }
    std::vector<Expr> extents;
    for (size_t d = 0; d < dims->size(); ++d) {
      extents.push_back((*dims)[d] < 0 ? Expr(1) : at.node->iters[static_cast<size_t>((*dims)[d])].extent);
    }
    if (out.empty()) out = extents;
    for (size_t d = 0; d < out.size(); ++d) {
      if (!equal(out[d], extents[d])) return error("{} writes different parts of {}", at.label, b->name);
    }
  }
  return out;
}

}  // namespace

Result<Change> apply(const State& s, const CacheWrite& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(Buffer b, buffer_named(at, x.buffer, false, true));
  if (at.node->annotations.count("tensorized")) return error("{} is tensorized; cache before that", at.label);
  if (scope_of(at.path)) return error("{} stands inside another block; its buffers cannot be cached", at.label);
  if (s.guarded_blocks.count(at.node->name)) return error("{} was given with a predicate", at.label);
  MLC_TRY(std::vector<Expr> extents, written_extents(at, b));
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce && !at.node->init) {
      return error("{} adds to old contents of {}: its init stands elsewhere", at.label, b->name);
    }
  }
  if (classify(s.func, at.path).in_place) return error("{} updates {} in place", at.label, b->name);
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
  Stmt stored = seq({new_top, copy_nest(name, copy, b, extents)});
  return Change{declare(replace(body, new_top, stored), copy), {name}, {}};
}

}  // namespace mlc::schedule
