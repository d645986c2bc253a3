#include "schedule/primitives/reverse_compute_at.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

struct Producers {
  std::vector<const Path*> inside;  // blocks under the loop that write what the consumer reads
  std::vector<Buffer> buffers;      // that they write
};

Result<Producers> find_producers(const std::vector<Path>& blocks, size_t self, const BlockAt& at, const LoopAt& loop) {
  Producers out;
  const std::vector<Buffer> own = written_buffers(*at.node);
  for (const Buffer& b : read_buffers(*at.node)) {
    if (std::find(own.begin(), own.end(), b) != own.end()) continue;
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Block& other = block_of(blocks[i]);
      if (i == self || !touches(accesses_of(other), b, true)) continue;
      if (contains(loop.path.back(), blocks[i].back())) {
        out.inside.push_back(&blocks[i]);
        if (std::find(out.buffers.begin(), out.buffers.end(), b) == out.buffers.end()) out.buffers.push_back(b);
      } else {
        // Another producer must have run before the loop's nest begins.
        size_t first = 0;
        while (first < blocks.size() && !contains(loop.path.back(), blocks[first].back())) ++first;
        if (i > first)
          return error("{} also reads {}, which block {} writes after {}", at.label, b->name, other.name, loop.label);
      }
    }
  }
  if (out.inside.empty()) return error("{}: no block under {} writes what it reads", at.label, loop.label);
  return out;
}

// Blocks between the loop and the consumer must not touch what the consumer writes, nor write what it reads.
Result<void> check_between(const std::vector<Path>& blocks, size_t self, const BlockAt& at, const LoopAt& loop) {
  const std::vector<Buffer> own = written_buffers(*at.node);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i == self) continue;
    const bool inside = contains(loop.path.back(), blocks[i].back());
    const std::vector<Access> accesses = accesses_of(block_of(blocks[i]));
    bool after = false;
    for (size_t k = 0; k <= i && !after; ++k) after = contains(loop.path.back(), blocks[k].back());
    for (const Buffer& b : own) {
      if (touches(accesses, b, true)) {
        return error("{} is not the only writer of {}: block {} writes it too", at.label, b->name,
                     block_of(blocks[i]).name);
      }
      if (i < self && (inside || after) && touches(accesses, b, false)) {
        return error("{} would write {} before block {}, which reads its old contents", at.label, b->name,
                     block_of(blocks[i]).name);
      }
    }
  }
  return {};
}

// All iterations together finish all that the consumer reads, so that each of its instances finds a place.
Result<void> check_all_written(const State& s, const Producers& p, const Buffer& b, const BlockAt& at) {
  View reader(s.func, at.path, nullptr);
  for (const Access& r : accesses_of(*at.node)) {
    if (r.write || !(r.buffer == b)) continue;
    if (r.conditional) return error("{} reads {} only under a condition", at.label, b->name);
    Box need = reader.box(r);
    for (const Path* path : p.inside) {
      View writer(s.func, *path, nullptr);
      for (const Access& w : accesses_of(block_of(*path))) {
        if (!w.write || !(w.buffer == b) || covers(writer.box(w), need, b, writer.bounds())) continue;
        return error("{}: block {} is not known to write all that it reads of {}", at.label, block_of(*path).name,
                     b->name);
      }
    }
  }
  return {};
}

// Where the read boxes agree, what one iteration finishes; else why not.
Result<Box> finished_box(const State& s, const Producers& p, const Buffer& b, const BlockAt& at, const LoopAt& loop) {
  std::optional<Box> box;
  const arith::Bounds bounds = bounds_along(s.func, loop.path);
  for (const Path* path : p.inside) {
    const Block& block = block_of(*path);
    View view(s.func, *path, loop.node);
    for (const Access& a : accesses_of(block)) {
      if (!(a.buffer == b) || !a.write) continue;
      for (const Var& v : reduce_loops(block)) {
        if (!view.inner().count(v)) {
          return error("{}: {} carries a reduction of block {}, which is not finished in one iteration of {}", at.label,
                       s.label(v), block.name, loop.label);
        }
      }
      Box one = view.box(a);
      if (!one.exact) {
        return error("{}: what block {} writes of {} in one iteration of {} is not known to be a whole box", at.label,
                     block.name, b->name, loop.label);
      }
      if (box && !(covers(*box, one, b, bounds) && covers(one, *box, b, bounds))) {
        return error("{}: the blocks under {} write different parts of {}", at.label, loop.label, b->name);
      }
      if (!box) box = one;
    }
  }
  return *box;
}

}  // namespace

Result<Change> apply(const State& s, const ReverseComputeAt& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(LoopAt loop, s.find(x.loop));
  MLC_TRY_VOID(check_movable(s, at, loop));
  const std::vector<Path> blocks = scope_blocks(s, at.path);
  size_t self = 0, first = blocks.size();
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].back().same_as(at.path.back())) self = i;
    if (first == blocks.size() && contains(loop.path.back(), blocks[i].back())) first = i;
  }
  if (self < first) return error("{} stands before {}", at.label, loop.label);
  MLC_TRY(Producers producers, find_producers(blocks, self, at, loop));
  MLC_TRY_VOID(check_between(blocks, self, at, loop));

  const arith::Bounds bounds = bounds_along(s.func, loop.path);
  std::vector<Range> domain;
  std::vector<bool> known(at.node->iters.size(), false);
  for (const IterVar& it : at.node->iters) domain.push_back({Expr(0), it.extent});
  for (const Buffer& b : producers.buffers) {
    MLC_TRY_VOID(check_all_written(s, producers, b, at));
    MLC_TRY(Box box, finished_box(s, producers, b, at, loop));
    for (const Access& r : accesses_of(*at.node)) {
      if (r.write || !(r.buffer == b)) continue;
      std::vector<bool> told;
      std::vector<Range> d = solve_domain(*at.node, r, box, bounds, &told);
      for (size_t i = 0; i < d.size(); ++i) {
        if (!told[i]) continue;
        const bool same = arith::prove_equal(d[i].min, domain[i].min, bounds) &&
                          arith::prove_equal(d[i].extent, domain[i].extent, bounds);
        if (known[i] && !same) {
          return error("{} reads parts of {} that belong to different iterations of {}", at.label, b->name, loop.label);
        }
        domain[i] = d[i];
        known[i] = true;
      }
    }
  }
  for (size_t i = 0; i < domain.size(); ++i) {
    if (at.node->iters[i].kind == IterKind::kReduce && known[i]) {
      const bool full =
          is_const(domain[i].min, 0) && arith::prove(domain[i].extent >= at.node->iters[i].extent, bounds);
      if (!full) {
        return error("{}: {} would cut its reduction over {} into pieces", at.label, loop.label,
                     at.node->iters[i].var.name());
      }
      domain[i] = {Expr(0), at.node->iters[i].extent};
    }
  }
  Stmt made = rebuild_nest(*at.node, domain, bounds);
  auto produces = [&](const Stmt& st) {
    return std::any_of(producers.inside.begin(), producers.inside.end(),
                       [&](const Path* p) { return contains(st, p->back()); });
  };
  Stmt body = insert_after(loop.node->body, made, produces);
  Change c;
  c.body = without(replace(s.func.body, loop.path.back(), with_body(*loop.node, body)), at.path.back());

  // The proof that every read element was finished in the same iteration: seen from the new place.
  State next = s;
  next.func.body = c.body;
  MLC_TRY(BlockAt moved, next.find_block(at.node->name));
  auto new_loop = path_to_loop(c.body, loop.node->var);
  View view(next.func, moved.path, as<For>(new_loop->back()));
  for (const Buffer& b : producers.buffers) {
    MLC_TRY(Box box, finished_box(s, producers, b, at, loop));
    for (const Access& r : accesses_of(*moved.node)) {
      if (r.write || !(r.buffer == b)) continue;
      if (!covers(box, view.box(r), b, view.bounds())) {
        return error("{} reads elements of {} that one iteration of {} does not finish", at.label, b->name, loop.label);
      }
    }
  }
  return c;
}

}  // namespace mlc::schedule
