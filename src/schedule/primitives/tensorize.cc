#include "schedule/primitives/tensorize.h"

#include <algorithm>

#include "ir/intrinsics.h"
#include "ir/text.h"
#include "schedule/legality.h"
#include "schedule/tile.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::Bounds;
using arith::simplify;

namespace {

// How a buffer of the description lies in a real one: index k of the description adds to `base` of the real dimension
// lead.size() + k; folded: all of it lies in the last real dimension, from base[0] on.
struct Placement {
  Buffer real;
  std::vector<Expr> lead;
  std::vector<Expr> base;
  bool folded = false;
};
using Placements = std::map<Buffer, Placement>;

std::vector<int64_t> strides_of(const Buffer& b) {
  std::vector<int64_t> out(b->shape.size(), 1);
  for (size_t d = b->shape.size(); d-- > 1;) out[d - 1] = out[d] * *as_const_int(b->shape[d]);
  return out;
}

class Matcher {
 public:
  Matcher(std::set<Var> tile, Bounds bounds) : tile_(std::move(tile)), bounds_(std::move(bounds)) {}

  Placements placements;
  std::string why;  // the first difference

  bool match_stmt(const Stmt& d, const Stmt& t) {
    const Store *a = as<Store>(d), *b = as<Store>(t);
    if (a && b) {
      if (b->predicate) return fail("the store has a predicate");
      return place(a->buffer, a->indices, b->buffer, b->indices) && match_expr(a->value, b->value);
    }
    const Seq *p = as<Seq>(d), *q = as<Seq>(t);
    if (!p || !q || p->stmts.size() != q->stmts.size()) return fail("the body has another form than the description's");
    for (size_t i = 0; i < p->stmts.size(); ++i) {
      if (!match_stmt(p->stmts[i], q->stmts[i])) return false;
    }
    return true;
  }

 private:
  std::set<Var> tile_;
  Bounds bounds_;

  // What is told is the difference met after the most has matched: operands may be tried in both orders.
  bool fail(std::string reason, size_t matched = 0) {
    if (why.empty() || matched + placements.size() > weight_) {
      why = std::move(reason);
      weight_ = matched + placements.size();
    }
    return false;
  }
  size_t weight_ = 0;
  bool differ(const Expr& d, const Expr& t) {
    return fail(fmt::format("found {} where the description has {}", print(t), print(d)));
  }

  bool match_expr(const Expr& d, const Expr& t) {
    if (d.dtype() != t.dtype() || d->kind.index() != t->kind.index()) return differ(d, t);
    if (const Load* a = as<Load>(d)) {
      const Load* b = as<Load>(t);
      if (b->predicate) return differ(d, t);
      return place(a->buffer, a->indices, b->buffer, b->indices);
    }
    if (const Binary* a = as<Binary>(d)) {
      const Binary* b = as<Binary>(t);
      if (a->op != b->op) return differ(d, t);
      const Placements saved = placements;
      if (match_expr(a->a, b->a) && match_expr(a->b, b->b)) return true;
      if (a->op != BinaryOp::kAdd && a->op != BinaryOp::kMul) return false;
      placements = saved;
      return match_expr(a->a, b->b) && match_expr(a->b, b->a);
    }
    if (const Unary* a = as<Unary>(d)) return a->op == as<Unary>(t)->op && match_expr(a->a, as<Unary>(t)->a);
    if (const Cast* a = as<Cast>(d)) return match_expr(a->a, as<Cast>(t)->a);
    if (const Reinterpret* a = as<Reinterpret>(d)) return match_expr(a->a, as<Reinterpret>(t)->a);
    if (const Select* a = as<Select>(d)) {
      const Select* b = as<Select>(t);
      return match_expr(a->cond, b->cond) && match_expr(a->if_true, b->if_true) && match_expr(a->if_false, b->if_false);
    }
    if (const Call* a = as<Call>(d)) {
      const Call* b = as<Call>(t);
      if (a->intrinsic != b->intrinsic || a->args.size() != b->args.size()) return differ(d, t);
      for (size_t i = 0; i < a->args.size(); ++i) {
        if (!match_expr(a->args[i], b->args[i])) return false;
      }
      return true;
    }
    return equal(d, t) || differ(d, t);
  }

  bool free_of_tile(const Expr& e) const {
    for (const Var& v : free_vars(e)) {
      if (tile_.count(v)) return false;
    }
    return true;
  }

  bool place(const Buffer& d, const std::vector<Expr>& di, const Buffer& r, const std::vector<Expr>& ri) {
    if (d->dtype != r->dtype) {
      return fail(fmt::format("{} has {} elements, the description's {} has {}", r->name, r->dtype.str(), d->name,
                              d->dtype.str()));
    }
    std::optional<Placement> p = aligned(d, di, r, ri);
    if (!p) p = folded(d, di, r, ri);
    if (!p) {
      return fail(fmt::format("the elements of {} that the tile touches are not laid out as {} of the description",
                              r->name, d->name),
                  1);
    }
    auto [it, fresh] = placements.emplace(d, *p);
    if (fresh) return true;
    const Placement& q = it->second;
    auto same = [&](const std::vector<Expr>& a, const std::vector<Expr>& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                        [&](const Expr& x, const Expr& y) { return arith::prove_equal(x, y, bounds_); });
    };
    if (q.real == p->real && q.folded == p->folded && same(q.lead, p->lead) && same(q.base, p->base)) return true;
    return fail(fmt::format("{} and {} both stand where the description has {}", q.real->name, r->name, d->name));
  }

  std::optional<std::vector<Expr>> lead(const std::vector<Expr>& ri, size_t count) const {
    std::vector<Expr> out;
    for (size_t k = 0; k < count; ++k) {
      Expr e = simplify(ri[k], bounds_);
      if (!free_of_tile(e)) return std::nullopt;
      out.push_back(e);
    }
    return out;
  }

  std::optional<Placement> aligned(const Buffer& d, const std::vector<Expr>& di, const Buffer& r,
                                   const std::vector<Expr>& ri) const {
    if (ri.size() < di.size()) return std::nullopt;
    const size_t first = ri.size() - di.size();
    auto l = lead(ri, first);
    if (!l) return std::nullopt;
    Placement p{r, std::move(*l), {}, false};
    for (size_t k = 0; k < di.size(); ++k) {
      Expr base = simplify(ri[first + k] - di[k], bounds_);
      if (!free_of_tile(base)) return std::nullopt;
      // Below the first dimension rows must follow each other without a gap.
      if (k > 0 && (!is_const(base, 0) || !arith::prove_equal(r->shape[first + k], d->shape[k], bounds_))) {
        return std::nullopt;
      }
      p.base.push_back(base);
    }
    return p;
  }

  std::optional<Placement> folded(const Buffer& d, const std::vector<Expr>& di, const Buffer& r,
                                  const std::vector<Expr>& ri) const {
    auto l = lead(ri, ri.size() - 1);
    if (!l) return std::nullopt;
    const std::vector<int64_t> strides = strides_of(d);
    Expr flat(0);
    for (size_t k = 0; k < di.size(); ++k) flat = flat + di[k] * Expr(strides[k]);
    Expr base = simplify(ri.back() - flat, bounds_);
    if (!free_of_tile(base)) return std::nullopt;
    return Placement{r, std::move(*l), {base}, true};
  }
};

// The implementation with its parameters laid onto the real buffers.
class Instantiate : public Mutator {
 public:
  Instantiate(const PrimFunc& impl, const PrimFunc& desc, const Placements& placements) {
    for (size_t i = 0; i < impl.buffers.size(); ++i) {
      auto it = placements.find(desc.buffers[i]);
      if (it != placements.end()) map_[impl.buffers[i]] = {&it->second, impl.buffers[i]};
    }
  }
  using Mutator::mutate;
  Expr mutate(const Expr& e) override {
    Expr out = Mutator::mutate(e);
    if (const Load* l = as<Load>(out)) {
      if (auto at = indices(l->buffer, l->indices)) return load(at->first, at->second, l->predicate);
    }
    if (const LoadBits* l = as<LoadBits>(out)) {
      if (auto at = indices(l->buffer, l->indices)) return load_bits(out.dtype(), at->first, at->second);
    }
    return out;
  }
  Stmt mutate(const Stmt& s) override {
    Stmt out = Mutator::mutate(s);
    if (const Store* st = as<Store>(out)) {
      if (auto at = indices(st->buffer, st->indices)) return store(at->first, at->second, st->value, st->predicate);
    }
    if (const Prefetch* p = as<Prefetch>(out)) {
      if (auto at = indices(p->buffer, p->indices)) return prefetch(at->first, at->second, p->locality);
    }
    return out;
  }

 private:
  std::map<Buffer, std::pair<const Placement*, Buffer>> map_;

  static Expr add(const Expr& a, const Expr& b) {  // either may be a vector
    if (is_const(a, 0)) return b;
    if (is_const(b, 0)) return a;
    const int la = a.dtype().lanes, lb = b.dtype().lanes;
    if (la == lb) return a + b;
    const Expr &v = la > lb ? a : b, &c = la > lb ? b : a;
    if (const Ramp* r = as<Ramp>(v)) return ramp(add(r->base, c), r->stride, v.dtype().lanes);
    return v + broadcast(c, v.dtype().lanes);
  }
  static Expr scale(const Expr& a, int64_t k) {
    if (k == 1) return a;
    if (a.dtype().lanes == 1) return simplify(a * Expr(k));
    if (const Ramp* r = as<Ramp>(a)) return ramp(scale(r->base, k), scale(r->stride, k), a.dtype().lanes);
    return a * broadcast(Expr(k), a.dtype().lanes);
  }

  std::optional<std::pair<Buffer, std::vector<Expr>>> indices(const Buffer& b, const std::vector<Expr>& in) const {
    auto it = map_.find(b);
    if (it == map_.end()) return std::nullopt;
    const Placement& p = *it->second.first;
    std::vector<Expr> out = p.lead;
    if (p.folded) {
      const std::vector<int64_t> strides = strides_of(b);
      Expr sum = p.base[0];
      for (size_t k = 0; k < in.size(); ++k) sum = add(sum, scale(in[k], strides[k]));
      out.push_back(sum);
    } else {
      for (size_t k = 0; k < in.size(); ++k) out.push_back(add(p.base[k], in[k]));
    }
    return std::pair{p.real, std::move(out)};
  }
};

// The description as loops and a body in terms of them.
struct Description {
  std::vector<const For*> loops;
  Stmt body;
  bool reads(const Buffer& b) const { return touch(b, false); }
  bool writes(const Buffer& b) const { return touch(b, true); }
  bool touch(const Buffer& b, bool write) const {
    bool found = false;
    if (write) {
      for_each_stmt(body, [&](const Stmt& s) {
        const Store* st = as<Store>(s);
        found |= st && st->buffer == b;
      });
    } else {
      for_each_expr(body, [&](const Expr& e) {
        const Load* l = as<Load>(e);
        found |= l && l->buffer == b;
      });
    }
    return found;
  }
};

Description describe(const PrimFunc& desc) {
  Description d;
  Stmt s = desc.body;
  while (const For* f = as<For>(s)) {
    d.loops.push_back(f);
    s = f->body;
  }
  d.body = s;
  if (const Block* b = as<Block>(s)) {
    VarMap bind;
    for (const IterVar& it : b->iters) bind[it.var] = it.binding;
    d.body = substitute(b->body, bind);
  }
  return d;
}

BufferRegion region_of(const Buffer& d, const Placement& p) {
  BufferRegion r{p.real, {}};
  for (const Expr& e : p.lead) r.ranges.push_back({e, Expr(1)});
  if (p.folded) {
    int64_t count = 1;
    for (const Expr& e : d->shape) count *= *as_const_int(e);
    r.ranges.push_back({p.base[0], Expr(count)});
  } else {
    for (size_t k = 0; k < p.base.size(); ++k) r.ranges.push_back({p.base[k], d->shape[k]});
  }
  return r;
}

template <typename T>
std::vector<const For*> longer_than_one(const std::vector<T>& loops) {
  std::vector<const For*> out;
  for (const For* f : loops) {
    if (!is_const(f->extent, 1)) out.push_back(f);
  }
  return out;
}

std::string extents_text(const std::vector<const For*>& loops) {
  std::string out;
  for (const For* f : loops) out += (out.empty() ? "" : " x ") + print(f->extent);
  return out.empty() ? "1" : out;
}

}  // namespace

Result<Change> apply(const State& s, const Tensorize& x) {
  MLC_TRY(LoopAt at, s.find(x.loop));
  const TensorIntrin* intrin = find_tensor_intrin(x.intrin);
  if (!intrin) {
    std::string known;
    for (const TensorIntrin& t : all_tensor_intrins()) known += (known.empty() ? "" : ", ") + t.name;
    return error("there is no tensor intrinsic {}; expected one of: {}", x.intrin, known);
  }
  MLC_TRY(Tile tile, cut_tile(s, at));
  const Block& block = block_of(tile.block_path);
  const std::string label = fmt::format("{}: block {}", at.label, block.name);
  if (block.init) return error("{} still has its init; decompose_reduction takes it out", label);
  if (!tile.inner_predicate.empty()) {
    return error("{}: the predicate {} cuts through the tile", label, print(conjunction(tile.inner_predicate)));
  }
  BlockClass cls = classify(s.func, tile.block_path);
  if (cls.kind != BlockKind::kReduction && cls.kind != BlockKind::kComplete) return error("{}: {}", label, cls.reason);

  const Description desc = describe(intrin->desc);
  const std::vector<const For*> ours = longer_than_one(tile.loops), theirs = longer_than_one(desc.loops);
  const bool fits = ours.size() == theirs.size() &&
                    std::equal(ours.begin(), ours.end(), theirs.begin(),
                               [](auto a, auto b) { return arith::prove_equal(a->extent, b->extent); });
  if (!fits) {
    return error("{}: the loops run {}, {} needs {}", label, extents_text(ours), x.intrin, extents_text(theirs));
  }
  VarMap renamed;
  std::set<Var> tile_vars;
  Bounds bounds = bounds_along(s.func, at.path);
  for (const IterVar& it : tile.outer) bounds.bind(it.var, 0, it.extent);
  for (const For* f : desc.loops) renamed[f->var] = Expr(0);
  for (size_t i = 0; i < ours.size(); ++i) {
    renamed[theirs[i]->var] = ours[i]->var;
    tile_vars.insert(ours[i]->var);
    bounds.bind(ours[i]->var, 0, ours[i]->extent);
  }
  VarMap values = tile.values;
  for (const For* f : tile.loops) {
    if (is_const(f->extent, 1)) {
      for (auto& [v, e] : values) e = substitute(e, {{f->var, Expr(0)}});
    }
  }
  Matcher matcher(tile_vars, bounds);
  if (!matcher.match_stmt(substitute(desc.body, renamed), substitute(block.body, values))) {
    return error("{} does not match {}: {}", label, x.intrin, matcher.why);
  }

  Block made;
  made.name = block.name;
  made.iters = tile.outer;
  made.predicate = tile.outer_predicate;
  made.annotations = block.annotations;
  made.annotations["tensorized"] = x.intrin;
  for (const Buffer& b : intrin->desc.buffers) {
    auto it = matcher.placements.find(b);
    if (it == matcher.placements.end()) continue;
    if (desc.reads(b)) made.reads.push_back(region_of(b, it->second));
    if (desc.writes(b)) made.writes.push_back(region_of(b, it->second));
  }
  Instantiate instantiate(intrin->impl, intrin->desc, matcher.placements);
  made.body = instantiate.mutate(refresh(intrin->impl.body));
  return Change{replace(s.func.body, at.path.back(), make_stmt(std::move(made))), {block.name}, {}};
}

}  // namespace mlc::schedule
