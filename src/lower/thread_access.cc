#include "lower/thread_access.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "arith/affine.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

void ThreadAccesses::add(const Buffer& b, const std::vector<Expr>& indices, int64_t lanes, bool write) {
  list.push_back({b, indices, std::max<int64_t>(lanes, 1) - 1, write, !in_leaf_, axes_});
}

void ThreadAccesses::visit(const Expr& e) {
  if (!e) return;
  if (const Load* l = as<Load>(e)) add(l->buffer, l->indices, 1, false);
  if (const LoadBits* l = as<LoadBits>(e)) {
    add(l->buffer, l->indices, e.dtype().bytes() / l->buffer->dtype.bytes(), false);
  }
  Visitor::visit(e);
}

void ThreadAccesses::visit(const Stmt& s) {
  if (!s) return;
  if (const Store* st = as<Store>(s)) add(st->buffer, st->indices, 1, true);
  if (const Let* l = as<Let>(s)) bounds.set(l->var, arith::bounds_of(l->value, bounds));
  const For* f = as<For>(s);
  if (f) bounds.bind(f->var, f->min, f->extent);
  auto leaf = f ? f->annotations.find(kLeafKey) : Annotations::const_iterator{};
  if (!f || leaf == f->annotations.end()) return Visitor::visit(s);
  std::istringstream names(std::get<std::string>(leaf->second));
  in_leaf_ = true;
  for (std::string name; names >> name;) axes_.push_back(name);
  Visitor::visit(s);
  in_leaf_ = false;
  axes_.clear();
}

namespace {

// One index as uniform base + coefficient * t + [lo, hi]; false if it has no such form.
struct Digit {
  arith::LinearForm base;
  int64_t coefficient = 0, lo = 0, hi = 0;
};

bool digit_of(const Expr& index, int64_t last_lane, const Var& t, const std::set<Var>& uniform,
              const arith::Bounds& bounds, Digit* d) {
  Expr scalar = index;
  int64_t reach = 0;
  if (const Ramp* r = as<Ramp>(index)) {
    const int64_t* stride = as_const_int(r->stride);
    if (!stride) return false;
    reach = *stride * (index.dtype().lanes - 1);
    scalar = r->base;
  } else if (index.dtype().lanes > 1) {
    return false;
  }
  const arith::LinearForm form = arith::linear_form(scalar);
  d->coefficient = form.coefficient(t);
  if (d->coefficient == 0 || form.hides(t)) return false;
  arith::LinearForm inner;
  for (const auto& term : form.without(t).terms) {
    const std::set<Var> vars = free_vars(term.atom);
    const bool fixed = std::all_of(vars.begin(), vars.end(), [&](const Var& v) { return uniform.count(v) > 0; });
    bool loads = false;
    for_each_expr(term.atom, [&](const Expr& e) { loads = loads || as<Load>(e) || as<LoadBits>(e); });
    (fixed && !loads ? d->base : inner).add(term.atom, term.coefficient);
  }
  inner.constant = form.constant;
  const arith::IntSet range = arith::bounds_of(inner.to_expr(), bounds);
  if (range.min == arith::IntSet::kNegInf || range.max == arith::IntSet::kInf) return false;
  d->lo = range.min + std::min<int64_t>(reach, 0);
  d->hi = range.max + std::max<int64_t>(reach, 0) + last_lane;
  return true;
}

// Do all elements of the two accesses tell the thread of this axis by some dimension?
bool told_apart(const ThreadAccess& a, const ThreadAccess& b, const Var& t, const std::set<Var>& uniform,
                const arith::Bounds& bounds) {
  for (size_t dim = 0; dim < a.indices.size(); ++dim) {
    Digit x, y;
    const bool last = dim + 1 == a.indices.size();
    if (!digit_of(a.indices[dim], last ? a.last_lane : 0, t, uniform, bounds, &x)) continue;
    if (!digit_of(b.indices[dim], last ? b.last_lane : 0, t, uniform, bounds, &y)) continue;
    arith::LinearForm difference = x.base;
    difference.add(y.base, -1);
    if (x.coefficient != y.coefficient || !difference.is_constant() || difference.constant != 0) continue;
    if (std::max(x.hi, y.hi) - std::min(x.lo, y.lo) < std::abs(x.coefficient)) return true;
  }
  return false;
}

}  // namespace

bool same_thread(const ThreadAccess& a, const ThreadAccess& b, const std::vector<ThreadAxis>& axes,
                 const std::set<Var>& uniform, const arith::Bounds& bounds) {
  if (a.all_threads || b.all_threads) return false;
  const auto bound = [](const ThreadAccess& x, const std::string& axis) {
    return std::find(x.axes.begin(), x.axes.end(), axis) != x.axes.end();
  };
  return std::all_of(axes.begin(), axes.end(), [&](const ThreadAxis& axis) {
    if (axis.extent == 1) return true;
    const bool in_a = bound(a, axis.name), in_b = bound(b, axis.name);
    if (!in_a && !in_b) return true;  // both by the thread at 0
    return in_a && in_b && told_apart(a, b, axis.var, uniform, bounds);
  });
}

}  // namespace mlc::lower
