#include "schedule/region.h"

#include <algorithm>

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::Bounds;
using arith::prove;
using arith::simplify;

// ---- Accesses

namespace {

class Collector : public Visitor {
 public:
  std::vector<Access> out;
  bool vector_code = false;
  bool in_init = false;

  using Visitor::visit;
  void visit(const Expr& e) override {
    if (!e) return;
    if (e.dtype().lanes > 1 || as<LoadBits>(e)) vector_code = true;
    if (const Load* l = as<Load>(e)) add(l->buffer, l->indices, false, static_cast<bool>(l->predicate));
    if (const LoadBits* l = as<LoadBits>(e)) add(l->buffer, l->indices, false, false);
    Visitor::visit(e);
  }
  void visit(const Stmt& s) override {
    if (!s) return;
    if (as<Block>(s)) {
      vector_code = true;
      return;
    }
    if (const For* f = as<For>(s)) {
      visit(f->min);
      visit(f->extent);
      inner_[f->var] = f->extent;
      offsets_[f->var] = f->min;
      visit(f->body);
      inner_.erase(f->var);
      return;
    }
    if (const Allocate* a = as<Allocate>(s)) local_.insert(a->buffer);
    if (const If* i = as<If>(s)) {
      visit(i->cond);
      ++conditions_;
      visit(i->then_case);
      visit(i->else_case);
      --conditions_;
      return;
    }
    if (const Store* st = as<Store>(s)) add(st->buffer, st->indices, true, static_cast<bool>(st->predicate));
    Visitor::visit(s);
  }

 private:
  LoopExtents inner_;
  VarMap offsets_;
  std::set<Buffer> local_;
  int conditions_ = 0;

  void add(const Buffer& b, const std::vector<Expr>& indices, bool write, bool predicated) {
    if (local_.count(b)) return;
    Access a{b, {}, inner_, write, conditions_ > 0 || predicated, in_init};
    for (const Expr& i : indices) {
      Expr e = i;
      for (const auto& [v, min] : offsets_) {
        if (!is_const(min, 0) && uses_var(e, v)) e = substitute(e, {{v, Expr(v) + min}});
      }
      a.indices.push_back(e);
    }
    out.push_back(std::move(a));
  }
};

// Equal regions of one buffer get the same made-up variables, so that they can be seen to be equal.
using RegionVars = std::map<std::pair<Buffer, size_t>, LoopSpec>;

void add_declared(const std::vector<BufferRegion>& regions, bool write, RegionVars& vars, std::vector<Access>& out) {
  for (const BufferRegion& r : regions) {
    Access a{r.buffer, {}, {}, write, false, false};
    for (size_t d = 0; d < r.ranges.size(); ++d) {
      const Range& range = r.ranges[d];
      if (is_const(range.extent, 1)) {
        a.indices.push_back(range.min);
        continue;
      }
      LoopSpec& known = vars[{r.buffer, d}];
      if (!known.var || !equal(known.extent, range.extent)) known = {var("r"), range.extent};
      a.inner[known.var] = range.extent;
      a.indices.push_back(is_const(range.min, 0) ? Expr(known.var) : range.min + Expr(known.var));
    }
    out.push_back(std::move(a));
  }
}

// Is a declared region all that is touched, or only a bound? Tensorized blocks and plain tiles of a block are exact.
bool declares_exactly(const Block& block) {
  if (block.annotations.count("tensorized")) return true;
  bool exact = true, nested = false;
  for_each_stmt(block.body, [&](const Stmt& s) {
    if (const Block* b = as<Block>(s)) {
      nested = true;
      exact &= !b->predicate;
    }
    if (as<If>(s)) exact = false;
    if (const Store* st = as<Store>(s)) {
      exact &= !st->predicate && st->value.dtype().lanes == 1;
      for (const Expr& i : st->indices) exact &= as<VarRef>(i) || as_const_int(i);
    }
  });
  return exact && nested;
}

}  // namespace

std::vector<Access> accesses_of(const Block& block) {
  Collector c;
  c.in_init = true;
  c.visit(block.init);
  c.in_init = false;
  c.visit(block.body);
  if (!c.vector_code) {
    std::erase_if(c.out, [&](const Access& a) {
      return std::find(block.allocs.begin(), block.allocs.end(), a.buffer) != block.allocs.end();
    });
    return std::move(c.out);
  }
  std::vector<Access> out;
  RegionVars vars;
  add_declared(block.reads, false, vars, out);
  add_declared(block.writes, true, vars, out);
  if (!declares_exactly(block)) {
    for (Access& a : out) a.conditional = true;
  }
  return out;
}

bool touches(const std::vector<Access>& accesses, const Buffer& buffer, bool write) {
  return std::any_of(accesses.begin(), accesses.end(),
                     [&](const Access& a) { return a.buffer == buffer && a.write == write; });
}

// ---- Intervals

namespace {

struct Interval {
  Expr lo, hi;
};

class Relaxer {
 public:
  Relaxer(const LoopExtents& ranges, const Bounds& bounds) : ranges_(ranges), bounds_(bounds) {}

  std::optional<Interval> eval(const Expr& e) const {
    if (!mentions(e)) return Interval{e, e};
    if (const VarRef* v = as<VarRef>(e)) return Interval{Expr(0), simplify(ranges_.at(v->var) - Expr(1), bounds_)};
    const Binary* b = as<Binary>(e);
    if (!b || e.dtype() != DType::i64()) return std::nullopt;
    std::optional<Interval> x = eval(b->a), y = eval(b->b);
    if (!x || !y) return std::nullopt;
    switch (b->op) {
      case BinaryOp::kAdd:
        return Interval{x->lo + y->lo, x->hi + y->hi};
      case BinaryOp::kSub:
        return Interval{x->lo - y->hi, x->hi - y->lo};
      case BinaryOp::kMul:
        return product(*x, *y);
      case BinaryOp::kMin:
        return Interval{min(x->lo, y->lo), min(x->hi, y->hi)};
      case BinaryOp::kMax:
        return Interval{max(x->lo, y->lo), max(x->hi, y->hi)};
      case BinaryOp::kFloorDiv:
      case BinaryOp::kFloorMod:
        return quotient(*x, b->b, b->op == BinaryOp::kFloorDiv);
      default:
        return std::nullopt;
    }
  }

 private:
  const LoopExtents& ranges_;
  const Bounds& bounds_;

  bool mentions(const Expr& e) const {
    bool found = false;
    for_each_expr(e, [&](const Expr& x) {
      const VarRef* v = as<VarRef>(x);
      found |= v && ranges_.count(v->var) > 0;
    });
    return found;
  }
  std::optional<Interval> product(const Interval& x, const Interval& y) const {
    const Interval* many = &x;
    const Interval* one = &y;
    if (!one->lo.same_as(one->hi)) std::swap(many, one);
    if (!one->lo.same_as(one->hi)) return std::nullopt;
    if (prove(one->lo >= Expr(0), bounds_)) return Interval{many->lo * one->lo, many->hi * one->lo};
    if (prove(one->lo <= Expr(0), bounds_)) return Interval{many->hi * one->lo, many->lo * one->lo};
    return std::nullopt;
  }
  std::optional<Interval> quotient(const Interval& x, const Expr& by, bool want_div) const {
    const int64_t* c = as_const_int(by);
    if (!c || *c <= 0) return std::nullopt;
    Expr lo = simplify(floordiv(x.lo, by), bounds_), hi = simplify(floordiv(x.hi, by), bounds_);
    if (want_div) return Interval{lo, hi};
    if (arith::prove_equal(lo, hi, bounds_)) return Interval{floormod(x.lo, by), floormod(x.hi, by)};
    return Interval{Expr(0), Expr(*c - 1)};
  }
};

}  // namespace

std::optional<Range> relax(const Expr& e, const LoopExtents& ranges, const Bounds& bounds) {
  std::optional<Interval> i = Relaxer(ranges, bounds).eval(simplify(e, bounds));
  if (!i) return std::nullopt;
  Expr lo = simplify(i->lo, bounds);
  return Range{lo, simplify(i->hi - lo + Expr(1), bounds)};
}

// ---- View

View::View(const PrimFunc& func, const Path& block_path, const For* loop)
    : block_(&block_of(block_path)), bounds_(bounds_along(func, block_path)) {
  for (const For* f : loops_above(block_path)) loops_[f->var] = f->extent;
  for (const For* f : loops_inside(block_path, loop)) inner_.insert(f->var);
  for (const IterVar& it : block_->iters) bindings_[it.var] = it.binding;
  std::vector<Expr> other;
  limits_ = parse_limits(block_->predicate, loops_, bounds_, &other);
  check_predicate(other);
}

namespace {

// Violating `l` pushes the sum `binding` to `extent` or beyond: the limit is on the leading digits of the binding.
bool cuts_domain(const IterLimit& l, const IterSum& binding, const Expr& extent, const Bounds& bounds) {
  const size_t n = l.sum.terms.size();
  if (n > binding.terms.size()) return false;
  int64_t factor = 0;
  for (const IterTerm& t : l.sum.terms) {
    auto it = std::find_if(binding.terms.begin(), binding.terms.end(),
                           [&](const IterTerm& x) { return x.var == t.var && x.div == t.div && x.mod == t.mod; });
    if (it == binding.terms.end() || t.scale <= 0 || it->scale % t.scale != 0) return false;
    const int64_t f = it->scale / t.scale;
    if (factor != 0 && f != factor) return false;
    factor = f;
  }
  for (const IterTerm& t : binding.terms) {
    if (t.scale < 0) return false;
  }
  return prove(l.limit * Expr(factor) + binding.base >= extent, bounds);
}

// `l` bounds a group of neighbouring digits of the binding that are all inside.
bool narrows(const IterLimit& l, const IterSum& binding, const std::set<Var>& inner) {
  return std::all_of(l.sum.terms.begin(), l.sum.terms.end(), [&](const IterTerm& t) {
    return inner.count(t.var) > 0 && std::any_of(binding.terms.begin(), binding.terms.end(), [&](const IterTerm& x) {
             return x.var == t.var && x.div == t.div && x.mod == t.mod;
           });
  });
}

}  // namespace

void View::check_predicate(const std::vector<Expr>& other) {
  predicate_is_domain_ = true;
  std::vector<std::pair<IterSum, Expr>> sums;
  for (const IterVar& it : block_->iters) {
    if (auto s = parse_iter(it.binding, loops_, bounds_)) sums.push_back({*s, it.extent});
  }
  for (const IterLimit& l : limits_) {
    const bool fine = std::any_of(sums.begin(), sums.end(), [&](const auto& s) {
      return cuts_domain(l, s.first, s.second, bounds_) || narrows(l, s.first, inner_);
    });
    predicate_is_domain_ &= fine;
  }
  for (const Expr& c : other) {  // binding < extent, or 0 <= binding, in any form
    const Binary* b = as<Binary>(c);
    bool fine = false;
    for (const IterVar& it : block_->iters) {
      if (!b) break;
      const bool upper =
          b->op == BinaryOp::kLt && arith::prove_equal(b->a, it.binding, bounds_) && prove(b->b >= it.extent, bounds_);
      const bool lower =
          b->op == BinaryOp::kGe && arith::prove_equal(b->a, it.binding, bounds_) && prove(b->b <= Expr(0), bounds_);
      fine |= upper || lower;
    }
    predicate_is_domain_ &= fine;
  }
}

std::vector<Expr> View::in_loops(const Access& a) const {
  std::vector<Expr> out;
  for (const Expr& i : a.indices) out.push_back(substitute(i, bindings_));
  return out;
}

Box View::box(const Access& a) const {
  LoopExtents loops = loops_, relaxed = a.inner;
  std::set<Var> inner = inner_;
  Bounds bounds = bounds_;
  for (const auto& [v, e] : a.inner) {
    loops[v] = e;
    inner.insert(v);
    bounds.bind(v, 0, e);
  }
  for (const Var& v : inner_) relaxed[v] = loops_.at(v);
  Box box{{}, !a.conditional && predicate_is_domain_};
  std::vector<IterSum> inner_sums;
  for (const Expr& index : in_loops(a)) {
    std::optional<IterSum> sum = parse_iter(index, loops, bounds);
    bool done = false;
    if (sum) {
      IterSum in{{}, Expr(0)}, out{{}, sum->base};
      for (const IterTerm& t : sum->terms) (inner.count(t.var) ? in : out).terms.push_back(t);
      Radix r = radix_of(in.terms, limits_, bounds);
      if (r.extent) {
        box.ranges.push_back({simplify(out.to_expr(), bounds), r.extent});
        box.exact &= r.dense;
        inner_sums.push_back(std::move(in));
        done = true;
      }
    }
    if (!done) {
      std::optional<Range> r = relax(index, relaxed, bounds);
      box.ranges.push_back(r ? *r : Range{Expr(0), a.buffer->shape[box.ranges.size()]});
      box.exact = false;
    }
  }
  box.exact &= digits_disjoint(inner_sums, inner);
  return box;
}

namespace {

// Loops outside are fixed while two iterations are compared: their terms only shift the sum.
void keep_terms(std::vector<IterSum>& sums, const std::set<Var>& vars) {
  for (IterSum& s : sums) {
    std::erase_if(s.terms, [&](const IterTerm& t) { return vars.count(t.var) == 0; });
  }
}

}  // namespace

bool View::distinct_instances(const std::set<Var>& vars) const {
  std::vector<IterSum> sums;
  for (const IterVar& it : block_->iters) {
    if (auto s = parse_iter(it.binding, loops_, bounds_)) sums.push_back(*s);
  }
  std::set<Var> free = vars;
  free.insert(inner_.begin(), inner_.end());
  keep_terms(sums, free);
  return determine(sums, vars, loops_, limits_, bounds_);
}

bool View::distinct_elements(const Access& a, const std::set<Var>& vars) const {
  LoopExtents loops = loops_;
  Bounds bounds = bounds_;
  std::set<Var> free = vars;
  free.insert(inner_.begin(), inner_.end());
  for (const auto& [v, e] : a.inner) {
    loops[v] = e;
    bounds.bind(v, 0, e);
    free.insert(v);
  }
  std::vector<IterSum> sums;
  for (const Expr& index : in_loops(a)) {
    if (auto s = parse_iter(index, loops, bounds)) sums.push_back(*s);
  }
  keep_terms(sums, free);
  return determine(sums, vars, loops, limits_, bounds);
}

// ---- Boxes

Box whole(const Buffer& buffer) {
  Box b{{}, true};
  for (const Expr& d : buffer->shape) b.ranges.push_back({Expr(0), d});
  return b;
}

bool covers(const Box& outer, const Box& inner, const Buffer& buffer, const Bounds& bounds) {
  if (!outer.exact) return false;
  for (size_t d = 0; d < outer.ranges.size(); ++d) {
    const Range &o = outer.ranges[d], &i = inner.ranges[d];
    Expr low = simplify(i.min - o.min, bounds);
    const bool starts = prove(low >= Expr(0), bounds) || prove(o.min <= Expr(0), bounds);
    const bool ends = prove(low + i.extent <= o.extent, bounds) ||
                      prove(o.min + o.extent >= buffer->shape[d], bounds);  // accesses stay inside the buffer
    if (!starts || !ends) return false;
  }
  return true;
}

Box unite(const Box& a, const Box& b, const Buffer& buffer, const Bounds& bounds) {
  Box out{{}, false};
  for (size_t d = 0; d < a.ranges.size(); ++d) {
    const Range &x = a.ranges[d], &y = b.ranges[d];
    Expr diff = simplify(y.min - x.min, bounds);
    const int64_t *off = as_const_int(diff), *ex = as_const_int(x.extent), *ey = as_const_int(y.extent);
    if (off && ex && ey) {
      const int64_t lo = std::min<int64_t>(0, *off), hi = std::max(*ex, *off + *ey);
      out.ranges.push_back({lo == 0 ? x.min : y.min, Expr(hi - lo)});
    } else if (off && *off == 0 && arith::prove_equal(x.extent, y.extent, bounds)) {
      out.ranges.push_back(x);
    } else {
      out.ranges.push_back({Expr(0), buffer->shape[d]});
    }
  }
  return out;
}

// ---- From elements back to instances

namespace {

struct Digit {
  const IterTerm* term;
  Range range;   // of the index
  bool leading;  // the largest scale of its sum
  bool alone;
  Expr base;
};

}  // namespace

std::vector<Range> solve_domain(const Block& block, const Access& access, const Box& box, const Bounds& bounds,
                                std::vector<bool>* told) {
  LoopExtents iters = access.inner;
  for (const IterVar& it : block.iters) iters[it.var] = it.extent;
  std::vector<std::optional<IterSum>> sums;
  for (const Expr& i : access.indices) sums.push_back(parse_iter(i, iters, bounds));

  std::vector<Range> out;
  std::vector<bool> known;
  for (const IterVar& it : block.iters) {
    Range range{Expr(0), it.extent};
    bool exact = false, found = false;
    std::optional<Digit> high;
    std::optional<Digit> low;
    for (size_t d = 0; d < sums.size(); ++d) {
      // Only a mixed radix number can be taken apart again.
      if (!sums[d] || !radix_of(sums[d]->terms, {}, bounds).injective) continue;
      for (size_t k = 0; k < sums[d]->terms.size(); ++k) {
        const IterTerm& t = sums[d]->terms[k];
        if (!(t.var == it.var) || t.scale <= 0) continue;
        const bool alone = sums[d]->terms.size() == 1;
        Digit digit{&t, box.ranges[d], k == 0, alone, sums[d]->base};
        if (t.mod == 0 && digit.leading && !high) high = digit;
        if (t.mod != 0 && alone && t.scale == 1 && t.div == 1 && !low) low = digit;
      }
    }
    if (high) {
      // index = scale * (v // div) + rest + base, 0 <= rest: v // div lies between the quotients.
      Expr lo = simplify(high->range.min - high->base, bounds);
      Expr first = lo, count = high->range.extent;
      const IterTerm& t = *high->term;
      if (!high->alone || t.scale != 1) {
        first = simplify(floordiv(lo, Expr(t.scale)), bounds);
        Expr last = simplify(floordiv(lo + count - Expr(1), Expr(t.scale)), bounds);
        count = simplify(last - first + Expr(1), bounds);
        if (!as_const_int(count)) {
          const int64_t* e = as_const_int(high->range.extent);
          if (e) count = Expr((*e + t.scale - 2) / t.scale + 1);
        }
        // Exact when whole steps of the digit are wanted: what is below it then runs over all its values.
        const bool aligned = is_const(simplify(floormod(lo, Expr(t.scale)), bounds), 0) &&
                             arith::prove_equal(high->range.extent, count * Expr(t.scale), bounds);
        exact = high->alone ? t.scale == 1 : aligned;
      } else {
        exact = true;
      }
      if (t.div != 1) {
        if (low && low->term->mod == t.div && is_const(count, 1)) {
          first = simplify(first * Expr(t.div) + low->range.min - low->base, bounds);
          count = low->range.extent;
        } else {
          const int64_t* le = low ? as_const_int(low->range.extent) : nullptr;
          exact = exact && le && *le >= t.div;
          first = simplify(first * Expr(t.div), bounds);
          count = simplify(count * Expr(t.div), bounds);
        }
      }
      range = {first, count};
      found = true;
    }
    if (found && prove(range.extent >= it.extent, bounds) && !exact) range = {Expr(0), it.extent};
    out.push_back(range);
    known.push_back(found && exact);
  }
  if (told) *told = known;
  return out;
}

}  // namespace mlc::schedule
