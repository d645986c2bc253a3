#include "schedule/primitives/decompose_reduction.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

// The conjuncts of the predicate that concern the init, which runs in the first iteration of every reduce loop.
Result<Expr> init_predicate(const BlockAt& at, const std::set<Var>& reduce, const State& s) {
  std::vector<Expr> keep;
  for (const Expr& c : conjuncts(at.node->predicate)) {
    const std::set<Var> vars = free_vars(c);
    const bool any = std::any_of(vars.begin(), vars.end(), [&](const Var& v) { return reduce.count(v) > 0; });
    if (!any) {
      keep.push_back(c);
      continue;
    }
    for (const Var& v : vars) {
      const bool size = std::find(s.func.sizes.begin(), s.func.sizes.end(), v) != s.func.sizes.end();
      if (!size && !reduce.count(v)) {
        return error("{}: its predicate mixes reduce loops with {}", at.label, s.label(v));
      }
    }
  }
  return conjunction(keep);
}

}  // namespace

Result<Change> apply(const State& s, const DecomposeReduction& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(LoopAt loop, s.find(x.loop));
  if (!at.node->init) return error("{} has no init to take out", at.label);
  if (!contains(loop.path.back(), at.path.back()) || scope_of(at.path) != scope_of(loop.path)) {
    return error("{} does not stand around {}", loop.label, at.label);
  }
  BlockClass cls = classify(s.func, at.path);
  if (cls.kind == BlockKind::kOpaque) return error("{} cannot be taken apart: {}", at.label, cls.reason);
  if (auto v = outer_reduction(s.func, at.path)) {
    return error("{}: its reduction over {} goes on outside the block around it", at.label, v->name());
  }
  const std::set<Var> reduce = reduce_loops(*at.node);
  View view(s.func, at.path, loop.node);
  std::set<Var> inner = view.inner();
  inner.insert(loop.node->var);
  for (const For* f : loops_above(at.path)) {
    if (reduce.count(f->var) && !inner.count(f->var)) {
      return error("{} carries a reduction of {} and stands outside {}", s.label(f->var), at.label, loop.label);
    }
  }
  if (!view.distinct_instances(inner)) {
    return error("{} runs some of its instances more than once under {}: the init belongs to each time", at.label,
                 loop.label);
  }
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce) continue;
    for (const Var& v : free_vars(it.binding)) {
      if (reduce.count(v)) {
        return error("{} feeds both a spatial and a reduce variable of {}", s.label(v), at.label);
      }
    }
  }
  MLC_TRY(Expr predicate, init_predicate(at, reduce, s));

  Block init;
  init.name = unique_name(s.func, at.node->name + "_init");
  VarMap fresh;
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce) continue;
    IterVar n = it;
    n.var = var(it.var.name());
    fresh[it.var] = n.var;
    init.iters.push_back(n);
  }
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce) fresh[it.var] = Expr(0);
  }
  init.body = substitute(refresh(at.node->init), fresh);
  VarMap loops;
  std::vector<const For*> inside;
  if (!reduce.count(loop.node->var)) inside.push_back(loop.node);
  for (const For* f : loops_inside(at.path, loop.node)) {
    if (!reduce.count(f->var)) inside.push_back(f);
  }
  std::vector<LoopSpec> specs;
  for (const For* f : inside) {
    for (const Var& v : free_vars(f->extent)) {
      if (reduce.count(v)) return error("the extent of {} depends on a reduce loop", s.label(f->var));
    }
    Var v = var(f->var.name());
    specs.push_back({v, substitute(f->extent, loops)});
    loops[f->var] = v;
  }
  for (IterVar& it : init.iters) it.binding = substitute(it.binding, loops);
  init.predicate = predicate ? substitute(predicate, loops) : Expr();
  const std::string name = init.name;
  Stmt init_nest = nest(specs, make_stmt(with_regions(std::move(init))));
  Block update = *at.node;
  update.init = {};
  Stmt updated = replace(loop.path.back(), at.path.back(), make_stmt(with_regions(std::move(update))));
  return Change{replace(s.func.body, loop.path.back(), seq({init_nest, updated})), {name}, {}};
}

}  // namespace mlc::schedule
