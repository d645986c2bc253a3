#include "schedule/primitives/reverse_compute_inline.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

// The buffer that exactly one block, an elementwise producer, writes and only the consumer reads.
struct Link {
  Buffer buffer;
  const Path* producer = nullptr;
};

Result<Link> find_link(const State& s, const std::vector<Path>& blocks, size_t self, const BlockAt& at) {
  std::string why = "it reads no intermediate of an elementwise producer";
  for (const Buffer& b : read_buffers(*at.node)) {
    if (is_parameter(s.func, b)) continue;
    std::vector<const Path*> w = writers(blocks, b), r = readers(blocks, b);
    std::erase_if(r, [&](const Path* p) { return w.size() == 1 && p == w[0]; });
    if (w.size() != 1 || r.size() != 1 || w[0] == &blocks[self]) {
      why = fmt::format("{} has {} writers and {} other readers; expected one of each", b->name, w.size(), r.size());
      continue;
    }
    const Block& p = block_of(*w[0]);
    const Store* st = single_store(p);
    const bool reduces =
        std::any_of(p.iters.begin(), p.iters.end(), [](const IterVar& it) { return it.kind == IterKind::kReduce; });
    if (!st || reduces || s.guarded_blocks.count(p.name)) {
      why = fmt::format("its producer, block {}, is not one unconditional store without reduction", p.name);
      continue;
    }
    if (classify(s.func, *w[0]).kind != BlockKind::kComplete) {
      why = fmt::format("its producer, block {}: {}", p.name, classify(s.func, *w[0]).reason);
      continue;
    }
    return Link{b, w[0]};
  }
  return error("{} cannot be put into a producer: {}", at.label, why);
}

Result<void> check_order(const std::vector<Path>& blocks, size_t self, const Link& link, const BlockAt& at) {
  size_t from = 0;
  while (&blocks[from] != link.producer) ++from;
  if (from > self) return error("{} stands before its producer, block {}", at.label, block_of(*link.producer).name);
  const std::vector<Buffer> reads = read_buffers(*at.node), writes = written_buffers(*at.node);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i == self) continue;
    const std::vector<Access> accesses = accesses_of(block_of(blocks[i]));
    for (const Buffer& b : writes) {
      if (touches(accesses, b, true)) {
        return error("{} is not the only writer of {}: block {} writes it too", at.label, b->name,
                     block_of(blocks[i]).name);
      }
      if (i <= self && touches(accesses, b, false)) {
        return error("{} would write {} before block {} reads its old contents", at.label, b->name,
                     block_of(blocks[i]).name);
      }
    }
    for (const Buffer& b : reads) {
      if (!(b == link.buffer) && i >= from && i < self && touches(accesses, b, true)) {
        return error("{} also reads {}, which block {} writes only after block {}", at.label, b->name,
                     block_of(blocks[i]).name, block_of(*link.producer).name);
      }
    }
  }
  return {};
}

}  // namespace

Result<Change> apply(const State& s, const ReverseComputeInline& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  const Store* use = single_store(*at.node);
  if (!use) return error("{} is not one unconditional store without an init", at.label);
  if (s.guarded_blocks.count(at.node->name)) return error("{} was given with a predicate", at.label);
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce) return error("{} reduces over {}", at.label, it.var.name());
  }
  BlockClass cls = classify(s.func, at.path);
  if (cls.kind != BlockKind::kComplete || cls.in_place) {
    return error("{} cannot be put into a producer: {}", at.label, cls.in_place ? "it works in place" : cls.reason);
  }
  const std::vector<Path> blocks = scope_blocks(s, at.path);
  size_t self = 0;
  while (!blocks[self].back().same_as(at.path.back())) ++self;
  MLC_TRY(Link link, find_link(s, blocks, self, at));
  MLC_TRY_VOID(check_order(blocks, self, link, at));

  // The consumer's variables in terms of the element that the producer has just computed.
  const Block& producer = block_of(*link.producer);
  const Store& made = *single_store(producer);
  std::vector<Access> loads_of = accesses_of(*at.node);
  std::erase_if(loads_of, [&](const Access& a) { return a.write || !(a.buffer == link.buffer); });
  for (const Access& a : loads_of) {
    for (size_t d = 0; d < a.indices.size(); ++d) {
      if (!equal(a.indices[d], loads_of[0].indices[d]))
        return error("{} reads several elements of {}", at.label, link.buffer->name);
    }
  }
  auto dims = plain_indices(*at.node, link.buffer, loads_of[0].indices);
  VarMap map;
  const arith::Bounds bounds = bounds_along(s.func, at.path);
  for (size_t d = 0; dims && d < dims->size(); ++d) {
    if ((*dims)[d] < 0) continue;
    const IterVar& it = at.node->iters[static_cast<size_t>((*dims)[d])];
    if (!arith::prove_equal(it.extent, link.buffer->shape[d], bounds)) dims.reset();
    map[it.var] = made.indices[d];
  }
  for (const IterVar& it : at.node->iters) {
    if (!map.count(it.var)) {
      if (!is_const(it.extent, 1)) dims.reset();
      map[it.var] = Expr(0);
    }
  }
  if (!dims) {
    return error("{} does not read all of {} through each of its variables once", at.label, link.buffer->name);
  }
  View whole_view(s.func, *link.producer, nullptr);
  for (const Access& a : accesses_of(producer)) {
    if (a.write && !covers(whole_view.box(a), whole(link.buffer), link.buffer, whole_view.bounds())) {
      return error("{}: block {} is not known to write all of {}", at.label, producer.name, link.buffer->name);
    }
  }
  if (touches(accesses_of(producer), link.buffer, false)) {
    return error("block {} reads {}, which it writes", producer.name, link.buffer->name);
  }
  Stmt store_made = replace_loads(make_stmt(*use), link.buffer, [&](const std::vector<Expr>&) { return made.value; });
  // Only the consumer's own variables are replaced: those of the producer's value are different ones.
  Block fused = producer;
  fused.name = at.node->name;
  fused.body = substitute(store_made, map);
  fused.annotations = at.node->annotations;
  fused = with_regions(std::move(fused));
  Stmt body = replace(s.func.body, link.producer->back(), make_stmt(std::move(fused)));
  body = replace(body, at.path.back(), {});
  return Change{undeclare(body, link.buffer), {}, {}};
}

}  // namespace mlc::schedule
