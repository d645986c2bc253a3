#include "schedule/primitives/compute_inline.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

Result<void> check_consumers(const State& s, const std::vector<Path>& blocks, size_t self, const Buffer& b,
                             const BlockAt& at) {
  const std::vector<Buffer> reads = read_buffers(*at.node);
  size_t last = self;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Block& other = block_of(blocks[i]);
    const std::vector<Access> accesses = accesses_of(other);
    if (i == self) continue;
    if (touches(accesses, b, true)) {
      return error("{} is not the only writer of {}: block {} writes it too", at.label, b->name, other.name);
    }
    if (!touches(accesses, b, false)) continue;
    if (i < self) return error("{} stands after its consumer, block {}", at.label, other.name);
    if (other.annotations.count("tensorized")) {
      return error("{}: its consumer block {} is tensorized and reads {} as vectors", at.label, other.name, b->name);
    }
    last = i;
  }
  if (last == self) return error("{}: nothing reads {}", at.label, b->name);
  // From the outermost statement of the producer to that of the last consumer.
  for (size_t i = self; i <= last; ++i) {
    for (const Buffer& w : written_buffers(block_of(blocks[i]))) {
      if (std::find(reads.begin(), reads.end(), w) != reads.end()) {
        return error("{} reads {}, which block {} overwrites before the last consumer", at.label, w->name,
                     block_of(blocks[i]).name);
      }
    }
  }
  (void)s;
  return {};
}

bool read_as_scalars(const Stmt& body, const Buffer& b) {
  bool fine = true;
  for_each_expr(body, [&](const Expr& e) {
    if (const LoadBits* l = as<LoadBits>(e)) fine &= !(l->buffer == b);
    if (const Load* l = as<Load>(e)) fine &= !(l->buffer == b) || (e.dtype().lanes == 1 && !l->predicate);
  });
  return fine;
}

}  // namespace

Result<Change> apply(const State& s, const ComputeInline& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  const Store* st = single_store(*at.node);
  if (!st) return error("{} is not one unconditional store without an init", at.label);
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce) return error("{} reduces over {}", at.label, it.var.name());
  }
  const Buffer b = st->buffer;
  if (is_parameter(s.func, b)) return error("{} writes {}, a parameter of the function", at.label, b->name);
  if (s.guarded_blocks.count(at.node->name)) return error("{} was given with a predicate", at.label);
  auto dims = plain_indices(*at.node, b, st->indices);
  std::set<int> used(dims ? dims->begin() : std::vector<int>::iterator{},
                     dims ? dims->end() : std::vector<int>::iterator{});
  used.erase(-1);
  for (size_t i = 0; dims && i < at.node->iters.size(); ++i) {
    if (!used.count(static_cast<int>(i)) && !is_const(at.node->iters[i].extent, 1)) dims.reset();
  }
  const arith::Bounds bounds = bounds_along(s.func, at.path);
  for (size_t d = 0; dims && d < dims->size(); ++d) {
    if ((*dims)[d] < 0) continue;
    const IterVar& it = at.node->iters[static_cast<size_t>((*dims)[d])];
    if (!arith::prove_equal(it.extent, b->shape[d], bounds)) dims.reset();
  }
  if (!dims) return error("{} does not write all of {} through each of its variables once", at.label, b->name);
  if (touches(accesses_of(*at.node), b, false)) return error("{} reads {}, which it writes", at.label, b->name);
  const std::vector<Path> blocks = scope_blocks(s, at.path);
  size_t self = 0;
  while (!blocks[self].back().same_as(at.path.back())) ++self;
  MLC_TRY_VOID(check_consumers(s, blocks, self, b, at));
  if (!read_as_scalars(s.func.body, b))
    return error("{}: {} is read as vectors or with a predicate", at.label, b->name);

  const Expr value = st->value;
  auto inlined = [&](const std::vector<Expr>& indices) {
    VarMap map;
    for (const IterVar& it : at.node->iters) map[it.var] = Expr(0);  // variables of extent 1 that index nothing
    for (size_t d = 0; d < indices.size(); ++d) {
      if ((*dims)[d] >= 0) map[at.node->iters[static_cast<size_t>((*dims)[d])].var] = indices[d];
    }
    return substitute(value, map);
  };
  Stmt body = without(s.func.body, at.path.back());
  body = undeclare(replace_loads(body, b, inlined), b);
  return Change{derive_block_regions(body, false), {}, {}};
}

}  // namespace mlc::schedule
