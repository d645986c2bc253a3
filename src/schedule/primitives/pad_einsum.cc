#include "schedule/primitives/pad_einsum.h"

#include <algorithm>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::Bounds;
using arith::simplify;

namespace {

bool zero_times(const Expr& e, const std::set<Buffer>& padded) {
  // A padded operand is zero there, so that the product is.
  if (const Load* l = as<Load>(e)) return padded.count(l->buffer) > 0;
  if (const Cast* c = as<Cast>(e)) return zero_times(c->a, padded);
  if (const Binary* b = as<Binary>(e); b && b->op == BinaryOp::kMul) {
    return zero_times(b->a, padded) || zero_times(b->b, padded);
  }
  return false;
}

bool is_product(const Expr& e) {
  if (const Load* l = as<Load>(e)) return !l->predicate;
  if (as<IntImm>(e) || as<FloatImm>(e)) return true;
  if (const Cast* c = as<Cast>(e)) return is_product(c->a);
  const Binary* b = as<Binary>(e);
  return b && b->op == BinaryOp::kMul && is_product(b->a) && is_product(b->b);
}

struct Padder {
  const State& s;
  const BlockAt& at;
  std::vector<Expr> padded;  // extents
  std::vector<bool> grows;
  Bounds bounds;
  Stmt before, after;
  std::vector<Buffer> made;
  BufferMap renamed;

  bool grows_at(const std::vector<int>& dims) const {
    return std::any_of(dims.begin(), dims.end(), [&](int d) { return d >= 0 && grows[static_cast<size_t>(d)]; });
  }
  std::vector<Expr> shape_of(const Buffer& b, const std::vector<int>& dims) const {
    std::vector<Expr> shape;
    for (size_t d = 0; d < dims.size(); ++d) {
      shape.push_back(dims[d] < 0 ? b->shape[d] : padded[static_cast<size_t>(dims[d])]);
    }
    return shape;
  }
  Buffer pad(const Buffer& b, const std::vector<int>& dims) {
    Buffer p = derived_buffer(b, unique_name(s.func, b->name + "_pad"), shape_of(b, dims), Scope::kGlobal);
    made.push_back(p);
    renamed[b] = p;
    return p;
  }
  // p = b with zeros around; the predicate keeps the load inside.
  Stmt fill(const Buffer& b, const Buffer& p, const std::vector<int>& dims) {
    std::vector<IterSpec> iters;
    for (size_t d = 0; d < dims.size(); ++d) iters.push_back({fmt::format("ax{}", d), p->shape[d], IterKind::kSpatial});
    return block(p->name, iters, [&](const std::vector<Var>& v) {
      std::vector<Expr> i(v.begin(), v.end()), inside;
      for (size_t d = 0; d < dims.size(); ++d) {
        if (dims[d] < 0 || !grows[static_cast<size_t>(dims[d])]) continue;
        inside.push_back(i[d] < at.node->iters[static_cast<size_t>(dims[d])].extent);
      }
      return BlockBody{{}, store(p, i, load(b, i, conjunction(inside)))};
    });
  }
};

}  // namespace

Result<Change> apply(const State& s, const PadEinsum& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  const Block& b = *at.node;
  if (x.padding.size() != b.iters.size()) {
    return error("{} has {} variables; {} multiples are given", at.label, b.iters.size(), x.padding.size());
  }
  if (scope_of(at.path)) return error("{} stands inside another block", at.label);
  if (b.predicate) return error("{} has a predicate; pad before its loops are changed", at.label);
  const Store* init = as<Store>(b.init);
  auto update = match_update(b.body);
  if (!init || !update || update->op != BinaryOp::kAdd || !update->value || !is_product(update->value) ||
      classify(s.func, at.path).kind != BlockKind::kReduction) {
    return error("{} is not a reduction by addition with an init and a product of unconditional loads as its update",
                 at.label);
  }
  const std::vector<const For*> loops = loops_above(at.path);
  Padder p{s, at, {}, {}, bounds_along(s.func, at.path), {}, {}, {}, {}};
  for (size_t i = 0; i < b.iters.size(); ++i) {
    const bool own_loop = loops.size() == b.iters.size() && loops[i]->kind == ForKind::kSerial &&
                          as<VarRef>(b.iters[i].binding) && as<VarRef>(b.iters[i].binding)->var == loops[i]->var;
    if (!own_loop) return error("{}: its loops have been changed already; pad before that", at.label);
    const bool alone =
        i + 1 < loops.size() ? as<For>(loops[i]->body) == loops[i + 1] : loops[i]->body.same_as(at.path.back());
    if (!alone) return error("{} is not alone in its nest", at.label);
    if (x.padding[i] < 1) return error("{}: multiple {} is not positive", at.label, x.padding[i]);
    const Expr multiple(x.padding[i]), extent = b.iters[i].extent;
    p.padded.push_back(simplify(floordiv(extent + multiple - Expr(1), multiple) * multiple, p.bounds));
    p.grows.push_back(!arith::prove_equal(p.padded[i], extent, p.bounds));
  }
  std::set<Buffer> zeros;
  std::vector<std::pair<Buffer, std::vector<int>>> operands;
  const Buffer out = update->store->buffer;
  std::vector<int> out_dims;
  for (const Access& a : accesses_of(b)) {
    auto dims = plain_indices(b, a.buffer, a.indices);
    if (!dims) return error("{}: {} is not indexed by plain variables", at.label, a.buffer->name);
    if (a.buffer == out) {
      out_dims = *dims;
      continue;
    }
    if (p.renamed.count(a.buffer)) return error("{} reads {} twice", at.label, a.buffer->name);
    if (!p.grows_at(*dims)) continue;
    Buffer made = p.pad(a.buffer, *dims);
    operands.push_back({a.buffer, *dims});
    zeros.insert(a.buffer);
  }
  if (!p.grows_at(out_dims) && operands.empty()) return Change{s.func.body, {}, {}};
  // Along a padded reduce variable some factor must be zero.
  for (size_t i = 0; i < b.iters.size(); ++i) {
    if (b.iters[i].kind != IterKind::kReduce || !p.grows[i]) continue;
    std::set<Buffer> here;
    for (const auto& [buffer, dims] : operands) {
      if (std::find(dims.begin(), dims.end(), static_cast<int>(i)) != dims.end()) here.insert(buffer);
    }
    if (!zero_times(update->value, here)) {
      return error("{}: no factor of the product is indexed by {}, so that padding it would add to the sum", at.label,
                   b.iters[i].var.name());
    }
  }
  std::vector<Stmt> stmts;
  for (const auto& [buffer, dims] : operands) stmts.push_back(p.fill(buffer, p.renamed.at(buffer), dims));
  Stmt copy_back;
  if (p.grows_at(out_dims)) {
    Buffer made = p.pad(out, out_dims);
    std::vector<Expr> extents;
    for (size_t d = 0; d < out_dims.size(); ++d) {
      extents.push_back(out_dims[d] < 0 ? Expr(1) : b.iters[static_cast<size_t>(out_dims[d])].extent);
    }
    copy_back = copy_nest(made->name, made, out, extents);
  }
  Block wide = b;
  for (size_t i = 0; i < wide.iters.size(); ++i) wide.iters[i].extent = p.padded[i];
  Stmt body = replace_buffers(make_stmt(std::move(wide)), p.renamed);
  body = make_stmt(with_regions(*as<Block>(body)));
  for (size_t i = loops.size(); i-- > 0;) {
    For f = *loops[i];
    f.extent = p.padded[i];
    body = with_body(f, body);
  }
  stmts.push_back(body);
  stmts.push_back(copy_back);
  Stmt top = top_statement(at.path);
  Stmt whole_body = replace(s.func.body, top, seq(stmts));
  for (const Buffer& m : p.made) whole_body = declare(whole_body, m);
  return Change{whole_body, {}, {}};
}

}  // namespace mlc::schedule
