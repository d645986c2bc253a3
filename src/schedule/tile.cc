#include "schedule/tile.h"

#include <algorithm>

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::simplify;

namespace {

struct Cut {
  Expr outer;  // in loops outside; null when there are none
  Expr inner;  // in loops of the tile; null when there are none
  Expr size;   // of the tile along this variable
};

bool mentions(const Expr& e, const std::set<Var>& vars) {
  for (const Var& v : free_vars(e)) {
    if (vars.count(v)) return true;
  }
  return false;
}

Result<Cut> cut_binding(const IterVar& it, const View& view, const std::set<Var>& tile, const std::string& label) {
  auto sum = parse_iter(it.binding, view.loops(), view.bounds());
  if (!sum) return error("{}: the binding of {} is not made of the digits of loops", label, it.var.name());
  IterSum in{{}, Expr(0)}, out{{}, sum->base};
  for (const IterTerm& t : sum->terms) (tile.count(t.var) ? in : out).terms.push_back(t);
  if (in.terms.empty()) return Cut{mentions(it.binding, tile) ? out.to_expr() : it.binding, {}, Expr(1)};
  Radix r = radix_of(in.terms, view.limits(), view.bounds());
  if (!r.dense) return error("{}: the loops inside do not cover a whole range of {}", label, it.var.name());
  if (out.terms.empty() && is_const(out.base, 0)) return Cut{{}, in.to_expr(), r.extent};
  const int64_t* size = as_const_int(r.extent);
  if (!size) return error("{}: the tile of {} has no constant size", label, it.var.name());
  const bool whole =
      std::all_of(out.terms.begin(), out.terms.end(), [&](const IterTerm& t) { return t.scale % *size == 0; });
  if (!whole || !is_const(simplify(floormod(out.base, r.extent), view.bounds()), 0)) {
    return error("{}: {} does not advance by whole tiles of {} outside", label, it.var.name(), *size);
  }
  for (IterTerm& t : out.terms) t.scale /= *size;
  out.base = simplify(floordiv(out.base, r.extent), view.bounds());
  return Cut{out.to_expr(), in.to_expr(), r.extent};
}

std::set<Var> loops_of(const Path& path) {
  std::set<Var> out;
  for (const For* f : loops_above(path)) out.insert(f->var);
  return out;
}

bool free_of_loops(const Expr& e, const View& view) {
  for (const auto& [v, extent] : view.loops()) {
    if (uses_var(e, v)) return false;
  }
  return true;
}

}  // namespace

Result<Tile> cut_tile(const State& s, const LoopAt& at) {
  Tile t;
  const Stmt* down = &at.path.back();
  t.block_path = at.path;
  while (const For* f = as<For>(*down)) {
    t.loops.push_back(f);
    down = &f->body;
    t.block_path.push_back(*down);
  }
  const Block* block = as<Block>(*down);
  if (!block) return error("{}: expected a perfect nest with one block at its end", at.label);
  if (s.guarded_blocks.count(block->name))
    return error("{}: block {} was given with a predicate", at.label, block->name);
  const std::string label = fmt::format("{}: block {}", at.label, block->name);
  std::set<Var> tile;
  for (const For* f : t.loops) {
    tile.insert(f->var);
    if (mentions(f->extent, loops_of(at.path)))
      return error("{}: the extent of {} depends on a loop outside", at.label, f->var.name());
  }
  // The view from outside the loop: its own variable counts as inner.
  View view(s.func, t.block_path, nullptr);
  std::vector<std::pair<const IterVar*, Cut>> cuts;
  for (const IterVar& it : block->iters) {
    MLC_TRY(Cut cut, cut_binding(it, view, tile, label));
    cuts.push_back({&it, cut});
    if (!cut.outer) {
      t.values[it.var] = cut.inner;
    } else {
      IterVar o = it;
      o.var = var(cut.inner ? it.var.name() + "_o" : it.var.name());
      o.binding = cut.outer;
      o.extent = cut.inner ? simplify(floordiv(it.extent + cut.size - Expr(1), cut.size), view.bounds()) : it.extent;
      t.outer.push_back(o);
      t.values[it.var] = cut.inner ? Expr(o.var) * cut.size + cut.inner : Expr(o.var);
    }
  }
  std::vector<Expr> outside;
  for (const Expr& c : conjuncts(block->predicate)) {
    if (!mentions(c, tile)) {
      outside.push_back(c);
      continue;
    }
    const Binary* b = as<Binary>(c);
    bool done = false;
    for (const auto& [it, cut] : cuts) {
      if (done || !b || (b->op != BinaryOp::kLt && b->op != BinaryOp::kGe)) continue;
      if (!arith::prove_equal(b->a, it->binding, view.bounds()) || !free_of_loops(b->b, view)) continue;
      done = true;
      // The tile as a whole must lie in its domain; what it may reach beyond the block's is cut off inside.
      const bool upper = b->op == BinaryOp::kLt;
      const Expr count = simplify(floordiv(upper ? b->b + cut.size - Expr(1) : b->b, cut.size), view.bounds());
      if (cut.outer) outside.push_back(upper ? cut.outer < count : cut.outer >= count);
      const bool whole = cut.outer && cut.inner && arith::prove_equal(count * cut.size, b->b, view.bounds());
      if (!whole) t.inner_predicate.push_back(binary(b->op, t.values.at(it->var), b->b));
    }
    bool only_tile = true;
    for (const Var& v : free_vars(c)) only_tile &= tile.count(v) > 0 || !view.loops().count(v);
    if (!done && only_tile) {
      t.inner_predicate.push_back(c);
      done = true;
    }
    if (!done) return error("{}: its predicate mixes the tile with loops outside", label);
  }
  t.outer_predicate = conjunction(outside);
  return t;
}

}  // namespace mlc::schedule
