#include "lower/unrolled_nest.h"

#include <numeric>

#include "ir/loop_hints.h"
#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

std::optional<Nest> unrolled_nest(const Stmt& s) {
  Nest nest;
  const Stmt* at = &s;
  while (const For* f = as<For>(*at)) {
    if (f->kind != ForKind::kUnrolled || !as_const_int(f->extent) || !f->annotations.empty()) return std::nullopt;
    nest.loops.push_back(*f);
    at = &f->body;
  }
  const Store* store = as<Store>(*at);
  if (!store || store->predicate || nest.loops.empty()) return std::nullopt;
  nest.store = *store;
  return nest;
}

const Call* dot_of(const Nest& n, const char* intrinsic) {
  const Call* c = as<Call>(n.store.value);
  if (!c || c->intrinsic != intrinsic) return nullptr;
  const auto* old = as<Load>(c->args[0]);
  if (!old || old->buffer != n.store.buffer || old->predicate) return nullptr;
  for (size_t i = 0; i < old->indices.size(); ++i) {
    const Expr& at = n.store.indices[i];
    if (!equal(old->indices[i], at) || uses_var(at, n.loops[0].var)) return nullptr;
  }
  return c;
}

Parts parts_of(const Nest& n) {
  const int all = n.store.value.dtype().lanes / kWidth;
  int64_t sums = all;
  for (size_t i = 1; i < n.loops.size(); ++i) sums *= *as_const_int(n.loops[i].extent);
  return {all, sums <= kSumsInRegisters ? all : 1};
}

Stmt wrap(const std::vector<For>& loops, size_t first, Stmt body) {
  for (size_t i = loops.size(); i-- > first;) {
    For loop = loops[i];
    loop.body = std::move(body);
    body = make_stmt(std::move(loop));
  }
  return body;
}

Stmt kept_steps(const For& steps, int64_t at_once, Stmt body) {
  const int64_t extent = *as_const_int(steps.extent);
  if (extent % at_once != 0) return wrap({steps}, 0, std::move(body));
  const auto part = [&](const Var& p, const Var& q) {
    return substitute(body, {{steps.var, steps.min + Expr(p) * at_once + Expr(q)}});
  };
  const Stmt kept = for_("p", 0, extent / at_once, [&](const Var& p) {
    return for_("q", 0, at_once, [&](const Var& q) { return part(p, q); }, ForKind::kUnrolled);
  });
  For loop = *as<For>(kept);
  loop.annotations[kKeepLoopKey] = 1;
  return make_stmt(std::move(loop));
}

Expr narrow(const Expr& e, int begin) {
  const DType t = e.dtype().with_lanes(kWidth);
  if (const auto* r = as<Ramp>(e)) return ramp(r->base + r->stride * imm(r->stride.dtype(), begin), r->stride, kWidth);
  if (const auto* b = as<Broadcast>(e)) return broadcast(b->a, kWidth);
  if (const auto* b = as<Binary>(e)) return binary(b->op, narrow(b->a, begin), narrow(b->b, begin));
  if (const auto* c = as<Cast>(e)) return cast(t, narrow(c->a, begin));
  if (const auto* r = as<Reinterpret>(e); r && r->a.dtype().lanes == e.dtype().lanes) {
    return reinterpret(t, narrow(r->a, begin));
  }
  if (const auto* l = as<Load>(e); l && !l->predicate) {
    return load(l->buffer, narrow_indices(l->indices, begin));
  }
  std::vector<int> lanes(kWidth);
  std::iota(lanes.begin(), lanes.end(), begin);
  return shuffle({e}, std::move(lanes));
}

std::vector<Expr> narrow_indices(const std::vector<Expr>& indices, int begin) {
  std::vector<Expr> at;
  for (const Expr& i : indices) at.push_back(i.dtype().lanes == 1 ? i : narrow(i, begin));
  return at;
}

}  // namespace mlc::lower
