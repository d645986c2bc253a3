#include "schedule/primitives/blockize.h"

#include "schedule/legality.h"
#include "schedule/tile.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

Result<Change> apply(const State& s, const Blockize& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  MLC_TRY(Tile t, cut_tile(s, at));
  const Block& block = block_of(t.block_path);
  BlockClass cls = classify(s.func, t.block_path);
  if (cls.kind == BlockKind::kOpaque) return error("{}: block {}: {}", at.label, block.name, cls.reason);
  for (const For* f : t.loops) {
    if (f->kind == ForKind::kParallel || f->kind == ForKind::kThread) {
      return error("{} is parallel or bound to a thread; blockize before that", s.label(f->var));
    }
  }
  Block inner = block;
  for (IterVar& it : inner.iters) it.binding = t.values.at(it.var);
  inner.predicate = conjunction(t.inner_predicate);
  Stmt body = make_stmt(std::move(inner));
  for (size_t i = t.loops.size(); i-- > 0;) body = with_body(*t.loops[i], body);
  Block outer;
  outer.name = unique_name(s.func, block.name + "_o");
  outer.iters = t.outer;
  outer.predicate = t.outer_predicate;
  outer.body = body;
  if (cls.kind == BlockKind::kOrdered) outer.annotations["ordered"] = int64_t{1};
  const std::string name = outer.name;
  Stmt made = make_stmt(with_regions(std::move(outer)));
  return Change{replace(s.func.body, at.path.back(), made), {name}, {}};
}

}  // namespace mlc::schedule
