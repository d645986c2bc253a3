#include "schedule/primitives/rfactor.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

struct Plan {
  const Block* block = nullptr;
  Path path;
  Update update;
  const Store* init = nullptr;
  std::vector<const For*> loops;  // of the nest
  std::string label;
};

Result<Plan> check(const State& s, const LoopAt& at) {
  std::vector<Path> under = blocks_in(at.path.back());
  if (under.size() != 1) return error("{} has {} blocks inside; expected one reduction", at.label, under.size());
  MLC_TRY(BlockAt b, s.find_block(block_of(under[0]).name));
  Plan p{b.node, b.path, {}, nullptr, loops_above(b.path), fmt::format("{}: block {}", at.label, b.node->name)};
  if (scope_of(b.path)) return error("{} stands inside another block", p.label);
  Stmt down = p.path.back();
  for (size_t i = p.loops.size(); i-- > 0;) {
    if (!p.loops[i]->body.same_as(down)) return error("{} is not alone in its nest", p.label);
    down = path_to_loop(s.func.body, p.loops[i]->var)->back();
    if (p.loops[i]->kind != ForKind::kSerial)
      return error("{} is not serial; rfactor before that", s.label(p.loops[i]->var));
  }
  if (s.guarded_blocks.count(p.block->name)) return error("{} was given with a predicate", p.label);
  p.init = as<Store>(p.block->init);
  auto update = match_update(p.block->body);
  BlockClass cls = classify(s.func, p.path);
  if (cls.kind != BlockKind::kReduction || !update || !p.init || !(p.init->buffer == update->store->buffer)) {
    return error("{} is not a plain commutative reduction with an init{}{}", p.label, cls.reason.empty() ? "" : ": ",
                 cls.reason);
  }
  p.update = *update;
  bool reduces = false;
  for (const IterVar& it : p.block->iters) {
    if (!uses_var(it.binding, at.node->var)) continue;
    if (it.kind == IterKind::kSpatial) {
      return error("{} feeds {}, a spatial variable of block {}: it is no reduction loop", at.label, it.var.name(),
                   p.block->name);
    }
    reduces = true;
  }
  if (!reduces) return error("{} feeds no reduce variable of block {}", at.label, p.block->name);
  std::set<Var> needed;
  for (const For* f : p.loops) needed.insert(f->var);
  if (!View(s.func, p.path, nullptr).distinct_instances(needed)) {
    return error("{} runs some of its instances more than once", p.label);
  }
  return p;
}

// init value of the operation itself, so that a partial result starts neutral and the final one starts as given.
Result<Expr> neutral(BinaryOp op, DType t, const std::string& label) {
  auto lowest = [&]() -> Expr {
    if (t.is_float()) return fimm(t, -std::numeric_limits<double>::infinity());
    return imm(t, t.is_int() ? -(int64_t{1} << (t.bits - 1)) : 0);
  };
  auto highest = [&]() -> Expr {
    if (t.is_float()) return fimm(t, std::numeric_limits<double>::infinity());
    return imm(t, t.is_int() ? static_cast<int64_t>((uint64_t{1} << (t.bits - 1)) - 1) : -1);
  };
  switch (op) {
    case BinaryOp::kAdd:
    case BinaryOp::kXor:
    case BinaryOp::kOr:
      return t.is_bool() ? imm(t, 0) : zero(t);
    case BinaryOp::kMul:
      return t.is_float() ? fimm(t, 1) : imm(t, 1);
    case BinaryOp::kAnd:
      return imm(t, t.is_bool() ? 1 : -1);
    case BinaryOp::kMax:
      return lowest();
    case BinaryOp::kMin:
      return highest();
    default:
      return error("{}: the operation has no neutral element", label);
  }
}

}  // namespace

Result<Change> apply(const State& s, const Rfactor& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  MLC_TRY(Plan p, check(s, at));
  const Block& b = *p.block;
  const Store& st = *p.update.store;
  const int64_t rank = static_cast<int64_t>(st.indices.size());
  if (x.factor_axis < 0 || x.factor_axis > rank) {
    return error("{}: factor_axis {} is out of range; expected 0 to {}", p.label, x.factor_axis, rank);
  }
  for (const Var& v : free_vars(at.node->extent)) {
    if (std::find(s.func.sizes.begin(), s.func.sizes.end(), v) == s.func.sizes.end()) {
      return error("the extent of {} is not known outside the nest", at.label);
    }
  }
  const auto axis = static_cast<std::ptrdiff_t>(x.factor_axis);
  std::vector<Expr> shape = st.buffer->shape;
  shape.insert(shape.begin() + axis, at.node->extent);
  const std::string name = unique_name(s.func, b.name + "_rf");
  Buffer partial = derived_buffer(st.buffer, unique_name(s.func, st.buffer->name + "_rf"), shape, Scope::kGlobal);
  MLC_TRY(Expr start, neutral(p.update.op, st.buffer->dtype, p.label));

  // The partial block: spatial variables as before, the loop as one more, every other reduce loop for itself.
  Block rf;
  rf.name = name;
  VarMap values, loop_vars;
  for (const IterVar& it : b.iters) {
    if (it.kind == IterKind::kReduce) continue;
    IterVar n = it;
    n.var = var(it.var.name());
    values[it.var] = n.var;
    rf.iters.push_back(n);
  }
  const std::set<Var> reduce = reduce_loops(b);
  Var factor;
  for (const For* f : p.loops) {
    if (!reduce.count(f->var)) continue;
    IterVar n{var("v" + f->var.name()), f->extent, IterKind::kReduce, f->var};
    if (f == at.node) {
      n.kind = IterKind::kSpatial;
      factor = n.var;
    }
    loop_vars[f->var] = n.var;
    rf.iters.push_back(n);
  }
  for (const IterVar& it : b.iters) {
    if (it.kind == IterKind::kReduce) values[it.var] = substitute(it.binding, loop_vars);
  }
  auto place = [&](const std::vector<Expr>& indices, const Expr& f) {
    std::vector<Expr> out;
    for (const Expr& e : indices) out.push_back(substitute(e, values));
    out.insert(out.begin() + axis, f);
    return out;
  };
  const std::vector<Expr> target = place(st.indices, factor);
  Stmt update =
      replace_loads(p.block->body, st.buffer, [&](const std::vector<Expr>&) { return load(partial, target); });
  rf.body = store(partial, target, substitute(as<Store>(update)->value, values));
  rf.init = store(partial, target, start);
  // A predicate on reduce loops becomes a condition inside: the partial result must be initialized all the same.
  std::vector<Expr> outside, inside;
  for (const Expr& c : conjuncts(b.predicate)) {
    const std::set<Var> vars = free_vars(c);
    const bool any = std::any_of(vars.begin(), vars.end(), [&](const Var& v) { return reduce.count(v) > 0; });
    const bool mixed =
        any && std::any_of(vars.begin(), vars.end(), [&](const Var& v) {
          return !reduce.count(v) && std::find(s.func.sizes.begin(), s.func.sizes.end(), v) == s.func.sizes.end();
        });
    if (mixed) return error("{}: its predicate mixes reduce loops with others", p.label);
    (any ? inside : outside).push_back(any ? substitute(c, loop_vars) : c);
  }
  if (!inside.empty()) rf.body = if_(conjunction(inside), rf.body);
  const bool sums =
      std::any_of(rf.iters.begin(), rf.iters.end(), [](const IterVar& it) { return it.kind == IterKind::kReduce; });
  if (!sums) {  // one term per partial result: nothing to accumulate, an init would have no reduce variable to wait for
    Stmt term = replace_loads(rf.body, partial, [&](const std::vector<Expr>&) { return start; });
    rf.body = inside.empty() ? term : seq({rf.init, term});
    rf.init = {};
  }
  rf.predicate = conjunction(outside);

  // The final block: spatial loops anew, and the factor loop as its reduction.
  Block last;
  last.name = b.name;
  last.annotations = b.annotations;
  VarMap fresh_loops, fresh_vars;
  std::vector<LoopSpec> specs;
  for (const For* f : p.loops) {
    if (reduce.count(f->var) && f != at.node) continue;
    Var v = var(f->var.name());
    specs.push_back({v, substitute(f->extent, fresh_loops)});
    fresh_loops[f->var] = v;
  }
  for (const IterVar& it : b.iters) {
    if (it.kind == IterKind::kReduce) continue;
    IterVar n = it;
    n.var = var(it.var.name());
    n.binding = substitute(it.binding, fresh_loops);
    for (const Var& v : free_vars(it.binding)) {
      if (reduce.count(v)) return error("{} feeds both spatial and reduce variables of block {}", s.label(v), b.name);
    }
    fresh_vars[it.var] = n.var;
    last.iters.push_back(n);
  }
  IterVar over{var("v" + at.node->var.name()), at.node->extent, IterKind::kReduce, fresh_loops.at(at.node->var)};
  last.iters.push_back(over);
  std::vector<Expr> final_indices, from;
  for (const Expr& e : st.indices) final_indices.push_back(substitute(e, fresh_vars));
  from = final_indices;
  from.insert(from.begin() + axis, over.var);
  last.init = substitute(refresh(b.init), fresh_vars);
  last.body = store(st.buffer, final_indices, binary(p.update.op, load(st.buffer, final_indices), load(partial, from)));
  last.predicate = rf.predicate ? substitute(rf.predicate, fresh_loops) : Expr();

  Stmt top = p.loops.empty() ? p.path.back() : path_to_loop(s.func.body, p.loops[0]->var)->back();
  Stmt first = replace(top, p.path.back(), make_stmt(with_regions(std::move(rf))));
  Stmt second = nest(specs, make_stmt(with_regions(std::move(last))));
  Stmt body = replace(s.func.body, top, seq({first, second}));
  return Change{declare(body, partial), {name}, {}};
}

}  // namespace mlc::schedule
