#include "schedule/rewrite.h"

#include <algorithm>

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::prove;
using arith::simplify;

namespace {

const char* kind_name(ForKind kind) {
  static constexpr const char* kNames[] = {"serial", "parallel", "vectorized", "unrolled", "bound to a thread"};
  return kNames[static_cast<int>(kind)];
}

}  // namespace

Result<void> expect_serial(const LoopAt& at, const char* what) {
  if (at.node->kind == ForKind::kSerial) return {};
  return error("{} is {} already; {} it before that", at.label, kind_name(at.node->kind), what);
}

Result<Change> with_kind(const State& s, const LoopAt& at, ForKind kind, const std::string& thread) {
  if (at.node->kind == kind && at.node->thread == thread) return Change{s.func.body, {}, {}};
  if (at.node->kind != ForKind::kSerial) return error("{} is {} already", at.label, kind_name(at.node->kind));
  MLC_TRY_VOID(check_independent(s, at.path, kind, thread));
  For f = *at.node;
  f.kind = kind;
  f.thread = thread;
  return Change{replace(s.func.body, at.path.back(), make_stmt(std::move(f))), {}, {}};
}

Result<Buffer> buffer_named(const BlockAt& at, const std::string& name, bool among_reads, bool among_writes) {
  std::vector<Buffer> all;
  if (among_reads) all = read_buffers(*at.node);
  if (among_writes) {
    for (const Buffer& b : written_buffers(*at.node)) {
      if (std::find(all.begin(), all.end(), b) == all.end()) all.push_back(b);
    }
  }
  std::string known;
  Buffer found;
  for (const Buffer& b : all) {
    known += (known.empty() ? "" : ", ") + b->name;
    if (b->name != name) continue;
    if (found) return error("{} has two buffers named {}", at.label, name);
    found = b;
  }
  if (found) return found;
  return error("{} has no buffer {}; expected one of: {}", at.label, name, known);
}

Stmt without(const Stmt& body, const Stmt& block) { return replace(body, block, {}); }

Stmt rebuild_nest(const Block& block, const std::vector<Range>& domain, const arith::Bounds& bounds) {
  Block b = block;
  std::vector<LoopSpec> loops;
  arith::Bounds inside = bounds;
  std::vector<Expr> guards;
  for (size_t i = 0; i < b.iters.size(); ++i) {
    IterVar& it = b.iters[i];
    std::string name = it.var.name();
    if (name.size() > 1 && name[0] == 'v') name = name.substr(1);
    // One value needs no loop; a reduction keeps its own, so that it can be decomposed whatever its extent.
    if (is_const(domain[i].extent, 1) && it.kind == IterKind::kSpatial) {
      it.binding = domain[i].min;
    } else {
      Var v = var(name);
      loops.push_back({v, domain[i].extent});
      inside.bind(v, 0, domain[i].extent);
      it.binding = is_const(domain[i].min, 0) ? Expr(v) : simplify(domain[i].min + Expr(v), inside);
    }
    if (!prove(it.binding >= Expr(0), inside)) guards.push_back(it.binding >= Expr(0));
    if (!prove(it.binding < it.extent, inside)) guards.push_back(it.binding < it.extent);
  }
  b.predicate = conjunction(guards);
  return nest(loops, make_stmt(std::move(b)));
}

Result<BlockClass> check_movable(const State& s, const BlockAt& at, const LoopAt& loop) {
  const Block *a = scope_of(at.path), *b = scope_of(loop.path);
  if (a != b) return error("{} and {} do not stand in the same scope", at.label, loop.label);
  if (contains(loop.path.back(), at.path.back())) return error("{} stands under {} already", at.label, loop.label);
  if (s.guarded_blocks.count(at.node->name)) {
    return error("{} was given with a predicate, which moving it would lose", at.label);
  }
  BlockClass cls = classify(s.func, at.path);
  if (cls.kind == BlockKind::kOpaque) return error("{} cannot be moved: {}", at.label, cls.reason);
  if (cls.in_place) return error("{} updates elements in place, so that it must run exactly once", at.label);
  for (const IterVar& it : at.node->iters) {
    if (it.kind == IterKind::kReduce && !at.node->init) {
      return error("{} is a reduction without its init, which cannot be computed a second time", at.label);
    }
  }
  if (auto v = outer_reduction(s.func, at.path)) {
    return error("{}: its reduction over {} goes on outside the block around it", at.label, v->name());
  }
  if (at.node->annotations.count("tensorized")) return error("{} is tensorized; move it before that", at.label);
  for (const For* f : loops_above(at.path)) {
    if (f->kind != ForKind::kSerial && f->kind != ForKind::kUnrolled && f->kind != ForKind::kVectorized &&
        !contains(loop.path.back(), at.path.back())) {
      return error("{} stands under {}, which is parallel or bound to a thread; move it before that", at.label,
                   s.label(f->var));
    }
  }
  return cls;
}

namespace {

class LoadReplacer : public Mutator {
 public:
  Buffer buffer;
  const std::function<Expr(const std::vector<Expr>&)>* f = nullptr;
  using Mutator::mutate;
  Expr mutate(const Expr& e) override {
    Expr out = Mutator::mutate(e);
    const Load* l = as<Load>(out);
    return l && l->buffer == buffer ? (*f)(l->indices) : out;
  }
};

}  // namespace

Stmt replace_loads(const Stmt& s, const Buffer& b, const std::function<Expr(const std::vector<Expr>&)>& f) {
  LoadReplacer m;
  m.buffer = b;
  m.f = &f;
  return m.mutate(s);
}

const Store* single_store(const Block& b) {
  const Store* st = as<Store>(b.body);
  return st && !b.init && !st->predicate && st->value.dtype().lanes == 1 ? st : nullptr;
}

std::optional<std::vector<int>> plain_indices(const Block& b, const Buffer& buffer, const std::vector<Expr>& indices) {
  std::vector<int> out;
  for (size_t d = 0; d < indices.size(); ++d) {
    if (is_const(indices[d], 0) && is_const(buffer->shape[d], 1)) {
      out.push_back(-1);
      continue;
    }
    const VarRef* v = as<VarRef>(indices[d]);
    int at = -1;
    for (size_t i = 0; v && i < b.iters.size(); ++i) {
      if (b.iters[i].var == v->var) at = static_cast<int>(i);
    }
    if (at < 0 || std::find(out.begin(), out.end(), at) != out.end()) return std::nullopt;
    out.push_back(at);
  }
  return out;
}

Stmt copy_nest(const std::string& name, const Buffer& from, const Buffer& to, const std::vector<Expr>& extents) {
  std::vector<IterSpec> iters;
  for (size_t d = 0; d < extents.size(); ++d) iters.push_back({fmt::format("ax{}", d), extents[d], IterKind::kSpatial});
  return block(name, iters, [&](const std::vector<Var>& v) {
    std::vector<Expr> i(v.begin(), v.end());
    return BlockBody{{}, store(to, i, load(from, i))};
  });
}

Stmt top_statement(const Path& path) {
  size_t first = 0;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    if (as<Block>(path[i])) first = i + 1;
  }
  while (first + 1 < path.size() && (as<Allocate>(path[first]) || as<Seq>(path[first]) || as<Let>(path[first])))
    ++first;
  return path[first];
}

Buffer derived_buffer(const Buffer& b, std::string name, std::vector<Expr> shape, Scope scope) {
  BufferNode n = *b;
  n.name = std::move(name);
  n.shape = std::move(shape);
  n.scope = scope;
  n.alignment_bytes = 64;
  return Buffer(std::make_shared<const BufferNode>(std::move(n)));
}

}  // namespace mlc::schedule
