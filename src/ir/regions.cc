// Which parts of which buffers a piece of code touches: intervals of index expressions over the loops inside.
#include <algorithm>
#include <optional>

#include "ir/visit.h"

namespace mlc::ir {

namespace {

// [min, min + extent): extent is a constant or an expression of outer variables.
using Interval = std::optional<Range>;

Expr add(const Expr& a, const Expr& b) {
  const int64_t *x = as_const_int(a), *y = as_const_int(b);
  if (x && y)
    return Expr(wrap_int(DType::i64(), static_cast<int64_t>(static_cast<uint64_t>(*x) + static_cast<uint64_t>(*y))));
  if (x && *x == 0) return b;
  if (y && *y == 0) return a;
  return a + b;
}
Expr mul(const Expr& a, int64_t k) {
  if (k == 1) return a;
  if (k == 0) return Expr(0);
  if (const int64_t* x = as_const_int(a))
    return Expr(static_cast<int64_t>(static_cast<uint64_t>(*x) * static_cast<uint64_t>(k)));
  return a * k;
}

// e = base + offset with a constant offset.
std::pair<Expr, int64_t> split_offset(const Expr& e) {
  if (const int64_t* c = as_const_int(e)) return {Expr(0), *c};
  if (const Binary* b = as<Binary>(e)) {
    if (const int64_t* c = as_const_int(b->b)) {
      if (b->op == BinaryOp::kAdd || b->op == BinaryOp::kSub) {
        auto [base, offset] = split_offset(b->a);
        return {base, b->op == BinaryOp::kAdd ? offset + *c : offset - *c};
      }
    }
  }
  return {e, 0};
}

class RegionCollector : public Visitor {
 public:
  Regions regions;

  using Visitor::visit;
  void visit(const Expr& e) override {
    if (!e) return;
    if (const Load* l = as<Load>(e)) touch(regions.reads, l->buffer, l->indices, 1);
    if (const LoadBits* l = as<LoadBits>(e)) {
      const int64_t elements = (e.dtype().bytes() + l->buffer->dtype.bytes() - 1) / l->buffer->dtype.bytes();
      touch(regions.reads, l->buffer, l->indices, elements);
    }
    Visitor::visit(e);
  }
  void visit(const Stmt& s) override {
    if (!s) return;
    if (const For* f = as<For>(s)) {
      Interval min = interval(f->min), extent = interval(f->extent);
      if (min && is_const(min->extent, 1) && extent && is_const(extent->extent, 1)) {
        inner_[f->var] = Range{min->min, extent->min};
      } else {
        inner_[f->var] = std::nullopt;
      }
    } else if (const Let* l = as<Let>(s)) {
      inner_[l->var] = interval(l->value);
    } else if (const Allocate* a = as<Allocate>(s)) {
      local_.insert(a->buffer);
    } else if (const Block* b = as<Block>(s)) {
      visit_block(*b);
      return;
    } else if (const Store* st = as<Store>(s)) {
      touch(regions.writes, st->buffer, st->indices, 1);
    }
    Visitor::visit(s);
  }

 private:
  std::map<Var, Interval> inner_;
  std::set<Buffer> local_;

  // A nested block counts as its own declared regions would: its code, with its variables bound.
  void visit_block(const Block& b) {
    for (const IterVar& it : b.iters) {
      visit(it.binding);
      inner_[it.var] = interval(it.binding);
    }
    visit(b.predicate);
    local_.insert(b.allocs.begin(), b.allocs.end());
    visit(b.init);
    visit(b.body);
  }

  bool uses_inner(const Expr& e) const {
    bool found = false;
    for_each_expr(e, [&](const Expr& x) {
      if (const VarRef* v = as<VarRef>(x)) found |= inner_.count(v->var) > 0;
      if (const Load* l = as<Load>(x)) found |= local_.count(l->buffer) > 0;
      if (const LoadBits* l = as<LoadBits>(x)) found |= local_.count(l->buffer) > 0;
    });
    return found;
  }

  Interval interval(const Expr& e) const {
    if (const VarRef* v = as<VarRef>(e)) {
      auto it = inner_.find(v->var);
      if (it != inner_.end()) return it->second;
    }
    if (e.dtype().lanes == 1 && !uses_inner(e)) return Range{e, Expr(1)};
    if (const Ramp* r = as<Ramp>(e)) {
      Interval base = interval(r->base);
      const int64_t* stride = as_const_int(r->stride);
      if (!base || !stride || *stride < 0) return std::nullopt;
      return Range{base->min, add(base->extent, Expr(*stride * (e.dtype().lanes - 1)))};
    }
    if (const Broadcast* b = as<Broadcast>(e)) return interval(b->a);
    if (const Binary* b = as<Binary>(e)) return interval_binary(*b);
    return std::nullopt;
  }

  Interval interval_binary(const Binary& b) const {
    Interval x = interval(b.a), y = interval(b.b);
    if (!x || !y) return std::nullopt;
    if (b.op == BinaryOp::kAdd) {
      return Range{add(x->min, y->min), add(add(x->extent, y->extent), Expr(-1))};
    }
    if (b.op == BinaryOp::kSub && is_const(y->extent, 1)) {
      const int64_t* c = as_const_int(y->min);
      return Range{c ? add(x->min, Expr(-*c)) : x->min - y->min, x->extent};
    }
    if (b.op == BinaryOp::kMul) {
      if (as_const_int(x->min) && is_const(x->extent, 1)) std::swap(x, y);
      const int64_t* k = as_const_int(y->min);
      if (!k || *k < 0 || !is_const(y->extent, 1)) return std::nullopt;
      return Range{mul(x->min, *k), add(mul(add(x->extent, Expr(-1)), *k), Expr(1))};
    }
    return std::nullopt;
  }

  void touch(std::vector<BufferRegion>& list, const Buffer& buffer, const std::vector<Expr>& indices,
             int64_t elements) {
    if (local_.count(buffer)) return;
    std::vector<Range> ranges;
    for (size_t i = 0; i < indices.size(); ++i) {
      Interval r = interval(indices[i]);
      if (r && i + 1 == indices.size() && elements > 1) r->extent = add(r->extent, Expr(elements - 1));
      ranges.push_back(r ? *r : Range{Expr(0), buffer->shape[i]});
    }
    auto it = std::find_if(list.begin(), list.end(), [&](const BufferRegion& x) { return x.buffer == buffer; });
    if (it == list.end()) {
      list.push_back({buffer, std::move(ranges)});
      return;
    }
    for (size_t i = 0; i < ranges.size(); ++i) it->ranges[i] = unite(it->ranges[i], ranges[i], buffer->shape[i]);
  }

  static Range unite(const Range& a, const Range& b, const Expr& dim) {
    if (equal(a.min, b.min) && equal(a.extent, b.extent)) return a;
    auto [base_a, lo_a] = split_offset(a.min);
    auto [base_b, lo_b] = split_offset(b.min);
    const int64_t *ea = as_const_int(a.extent), *eb = as_const_int(b.extent);
    if (!equal(base_a, base_b) || !ea || !eb) return Range{Expr(0), dim};
    const int64_t lo = std::min(lo_a, lo_b), hi = std::max(lo_a + *ea, lo_b + *eb);
    return Range{add(base_a, Expr(lo)), Expr(hi - lo)};
  }
};

}  // namespace

Regions derive_regions(const std::vector<Stmt>& stmts) {
  RegionCollector collector;
  for (const Stmt& s : stmts) collector.visit(s);
  return std::move(collector.regions);
}

}  // namespace mlc::ir
