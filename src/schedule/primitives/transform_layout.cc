#include "schedule/primitives/transform_layout.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::Bounds;
using arith::simplify;

namespace {

class Relayout : public Mutator {
 public:
  Relayout(Buffer from, Buffer to, const IndexMap& map, const PrimFunc& f)
      : from_(std::move(from)), to_(std::move(to)), map_(map) {
    bounds_.bind_sizes(f);
  }
  using Mutator::mutate;
  Expr mutate(const Expr& e) override {
    Expr out = Mutator::mutate(e);
    const Load* l = as<Load>(out);
    return l && l->buffer == from_ ? load(to_, mapped(l->indices), l->predicate) : out;
  }
  Stmt mutate(const Stmt& s) override {
    const Bounds saved = bounds_;
    const Block* block = as<Block>(s);
    if (const For* f = as<For>(s)) bounds_.bind(f->var, f->min, f->extent);
    if (block) {
      for (const IterVar& it : block->iters) bounds_.bind(it.var, 0, it.extent);
    }
    Stmt out = Mutator::mutate(s);
    if (const Store* st = as<Store>(out); st && st->buffer == from_) {
      out = store(to_, mapped(st->indices), st->value, st->predicate);
    }
    if (const Prefetch* p = as<Prefetch>(out); p && p->buffer == from_) {
      out = prefetch(to_, mapped(p->indices), p->locality);
    }
    bounds_ = saved;
    // Declared regions of the old shape mean nothing now: they are derived again.
    if (block && !out.same_as(s) && !block->annotations.count("tensorized")) {
      out = make_stmt(with_regions(*as<Block>(out)));
    }
    return out;
  }

 private:
  Buffer from_, to_;
  const IndexMap& map_;
  Bounds bounds_;
  std::vector<Expr> mapped(const std::vector<Expr>& indices) const {
    std::vector<Expr> out;
    for (const Expr& e : map_.apply(indices)) out.push_back(simplify(e, bounds_));
    return out;
  }
};

// Loads and stores of single elements only, in blocks that are not tensorized.
Result<void> check_uses(const PrimFunc& f, const Buffer& b, const std::string& label) {
  bool vector_use = false;
  for_each_expr(f.body, [&](const Expr& e) {
    if (const LoadBits* l = as<LoadBits>(e)) vector_use |= l->buffer == b;
    if (const Load* l = as<Load>(e)) vector_use |= l->buffer == b && e.dtype().lanes > 1;
  });
  for_each_stmt(f.body, [&](const Stmt& s) {
    if (const Store* st = as<Store>(s)) vector_use |= st->buffer == b && st->value.dtype().lanes > 1;
  });
  if (vector_use) return error("{}: {} is touched by vector code, which relies on its layout", label, b->name);
  return {};
}

Result<std::vector<Expr>> new_shape(const PrimFunc& f, const Buffer& b, const IndexMap& map, const std::string& label) {
  Bounds bounds;
  bounds.bind_sizes(f);
  LoopExtents loops;
  std::set<Var> inputs;
  for (size_t d = 0; d < map.inputs.size(); ++d) {
    bounds.bind(map.inputs[d], 0, b->shape[d]);
    loops[map.inputs[d]] = b->shape[d];
    inputs.insert(map.inputs[d]);
  }
  std::vector<IterSum> sums;
  std::vector<Expr> shape;
  for (const Expr& e : map.outputs) {
    auto sum = parse_iter(e, loops, bounds);
    if (!sum || !is_const(simplify(sum->base, bounds), 0)) {
      return error("{}: the index map {} is not made of the digits of its inputs", label, print(map));
    }
    Radix r = radix_of(sum->terms, {}, bounds);
    if (!r.extent) return error("{}: the extent of {} cannot be determined", label, print(map));
    shape.push_back(simplify(r.extent, bounds));
    sums.push_back(*sum);
  }
  if (!determine(sums, inputs, loops, {}, bounds)) {
    return error("{}: the index map {} puts different elements of {} into one place", label, print(map), b->name);
  }
  return shape;
}

}  // namespace

Result<Change> apply(const State& s, const TransformLayout& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(Buffer b, buffer_named(at, x.buffer, true, true));
  if (is_parameter(s.func, b)) {
    return error("{}: {} is a parameter; its layout belongs to the caller", at.label, b->name);
  }
  if (x.map.inputs.size() != b->shape.size()) {
    return error("{}: the index map {} takes {} indices, {} has {}", at.label, print(x.map), x.map.inputs.size(),
                 b->name, b->shape.size());
  }
  MLC_TRY_VOID(check_uses(s.func, b, at.label));
  MLC_TRY(std::vector<Expr> shape, new_shape(s.func, b, x.map, at.label));
  Buffer to = derived_buffer(b, b->name, shape, b->scope);
  Relayout relayout(b, to, x.map, s.func);
  Stmt body = swap_buffer(relayout.mutate(s.func.body), b, to);  // the declaration and what names it only
  return Change{body, {}, {}};
}

}  // namespace mlc::schedule
