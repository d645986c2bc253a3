#include "schedule/primitives/compute_at.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

// Nothing between the block and the loop, nor inside the loop, overwrites what the block reads.
Result<void> check_inputs(const std::vector<Path>& blocks, size_t self, const BlockAt& at, const LoopAt& loop) {
  std::vector<Buffer> reads = read_buffers(*at.node);
  std::vector<Buffer> own = written_buffers(*at.node);
  bool passed = false;
  for (size_t i = self + 1; i < blocks.size(); ++i) {
    const bool inside = contains(loop.path.back(), blocks[i].back());
    if (passed && !inside) break;
    passed |= inside;
    for (const Buffer& w : written_buffers(block_of(blocks[i]))) {
      const bool mine = std::find(own.begin(), own.end(), w) != own.end();
      if (!mine && std::find(reads.begin(), reads.end(), w) != reads.end()) {
        return error("{} reads {}, which block {} overwrites on the way to {}", at.label, w->name,
                     block_of(blocks[i]).name, loop.label);
      }
    }
  }
  return {};
}

Result<void> check_output(const State& s, const std::vector<Path>& blocks, size_t self, const Buffer& b,
                          const BlockAt& at, const LoopAt& loop) {
  if (is_parameter(s.func, b)) {
    return error("{} writes {}, a parameter of the function: all of it is wanted, not only what {} needs", at.label,
                 b->name, loop.label);
  }
  bool used = false;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i == self) continue;
    const Block& other = block_of(blocks[i]);
    const std::vector<Access> accesses = accesses_of(other);
    if (touches(accesses, b, true))
      return error("{} is not the only writer of {}: block {} writes it too", at.label, b->name, other.name);
    if (!touches(accesses, b, false)) continue;
    if (!contains(loop.path.back(), blocks[i].back())) {
      return error("{}: its consumer block {} does not stand under {}", at.label, other.name, loop.label);
    }
    if (i < self) return error("{} stands after its consumer, block {}", at.label, other.name);
    used = true;
  }
  if (!used) return error("{}: no block under {} reads {}", at.label, loop.label, b->name);
  return {};
}

}  // namespace

Result<Change> apply(const State& s, const ComputeAt& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(LoopAt loop, s.find(x.loop));
  MLC_TRY_VOID(check_movable(s, at, loop));
  const std::vector<Path> blocks = scope_blocks(s, at.path);
  size_t self = 0;
  while (!blocks[self].back().same_as(at.path.back())) ++self;
  const std::vector<Buffer> outputs = written_buffers(*at.node);
  for (const Buffer& b : outputs) MLC_TRY_VOID(check_output(s, blocks, self, b, at, loop));
  MLC_TRY_VOID(check_inputs(blocks, self, at, loop));

  // What is needed of each output, then of the domain.
  const arith::Bounds bounds = bounds_along(s.func, loop.path);
  std::vector<Range> domain;
  for (const Buffer& b : outputs) {
    std::optional<Box> need;
    for (const Path& p : blocks) {
      if (!contains(loop.path.back(), p.back())) continue;
      View view(s.func, p, loop.node);
      for (const Access& a : accesses_of(block_of(p))) {
        if (!(a.buffer == b)) continue;
        Box one = view.box(a);
        need = need ? unite(*need, one, b, bounds) : one;
      }
    }
    for (const Access& w : accesses_of(*at.node)) {
      if (!w.write || !(w.buffer == b) || w.in_init) continue;
      std::vector<Range> d = solve_domain(*at.node, w, *need, bounds);
      if (domain.empty()) {
        domain = d;
        continue;
      }
      for (size_t i = 0; i < d.size(); ++i) {
        const bool same = equal(d[i].min, domain[i].min) && equal(d[i].extent, domain[i].extent);
        if (!same) domain[i] = {Expr(0), at.node->iters[i].extent};
      }
    }
  }
  for (size_t i = 0; i < domain.size(); ++i) {
    if (at.node->iters[i].kind == IterKind::kReduce) domain[i] = {Expr(0), at.node->iters[i].extent};
  }
  Stmt made = rebuild_nest(*at.node, domain, bounds);
  auto consumes = [&](const Stmt& st) {
    for (const Path& p : blocks_in(st)) {
      const std::vector<Access> a = accesses_of(block_of(p));
      for (const Buffer& b : outputs) {
        if (touches(a, b, false)) return true;
      }
    }
    return false;
  };
  Stmt body = insert_before(loop.node->body, made, consumes);
  Change c;
  c.body = without(replace(s.func.body, loop.path.back(), with_body(*loop.node, body)), at.path.back());
  return c;
}

}  // namespace mlc::schedule
