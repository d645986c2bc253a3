#include "codegen/c_style/c_printer.h"

#include <algorithm>

#include "codegen/c_style/dialects/list.h"
#include "codegen/c_style/kernel_printer.h"
#include "ir/interp.h"
#include "ir/text.h"
#include "ir/visit.h"

namespace mlc::codegen {

using namespace ir;  // NOLINT

const CDialect* find_dialect(target::Kind kind) {
  for (const auto dialect : dialects::kDialects) {
    if (dialect().kind == kind) return &dialect();
  }
  return nullptr;
}

const CFunction* CProgram::find(const std::string& name) const {
  for (const CFunction& f : functions) {
    if (f.name == name) return &f;
  }
  return nullptr;
}

namespace {

bool has_thread_loop(const Stmt& s) {
  bool found = false;
  for_each_stmt(s, [&](const Stmt& x) {
    const For* f = as<For>(x);
    found = found || (f && f->kind == ForKind::kThread);
  });
  return found;
}

// The grids of a function, in order: nests of block axes that follow each other are launched one by one.
Result<void> split_grids(const PrimFunc& f, const Stmt& s, std::vector<Stmt>& grids) {
  if (const Seq* q = as<Seq>(s); q && (has_thread_loop(s) || q->stmts.empty())) {
    for (const Stmt& x : q->stmts) MLC_TRY_VOID(split_grids(f, x, grids));
    return {};
  }
  if (as<Assume>(s) || as<Evaluate>(s)) return {};
  const Allocate* a = as<Allocate>(s);
  if (!a || !has_thread_loop(s)) {
    grids.push_back(s);
    return {};
  }
  const size_t before = grids.size();
  MLC_TRY_VOID(split_grids(f, a->body, grids));
  if (grids.size() - before > 1 || a->buffer->scope != Scope::kShared) {
    return error(ErrorCode::kUnsupported,
                 "function {}: the intermediate {} of {} scope lives outside of the work-groups; compute it inside of "
                 "the block axes of its reader (compute_at), with shared or local scope",
                 f.name, a->buffer->name,
                 a->buffer->scope == Scope::kShared  ? "shared"
                 : a->buffer->scope == Scope::kLocal ? "local"
                                                     : "global");
  }
  if (grids.size() > before) grids.back() = allocate(a->buffer, grids.back());
  return {};
}

Grid take_apart(const Stmt& s) {
  Grid g;
  Stmt at = s;
  for (;;) {
    const For* f = as<For>(at);
    const Allocate* a = as<Allocate>(at);
    if (a && a->buffer->scope == Scope::kShared) {
      g.shared.push_back(a->buffer);
      at = a->body;
    } else if (f && f->kind == ForKind::kThread) {
      auto& axes = f->thread.rfind("blockIdx", 0) == 0 ? g.blocks : g.threads;
      auto& axis = axes[f->thread.back() - 'x'];
      if (axis) break;  // printed as a loop, which is refused there
      axis = Grid::Axis{f->var, f->min, f->extent};
      at = f->body;
    } else {
      break;
    }
  }
  g.body = at;
  return g;
}

Result<CLaunch> launch_of(const PrimFunc& f, const Grid& g, const std::string& kernel, const target::Target& target) {
  CLaunch launch;
  launch.kernel = kernel;
  int64_t total = 1;
  for (size_t i = 0; i < 3; ++i) {
    launch.groups[i] = g.blocks[i] ? g.blocks[i]->extent : Expr(1);
    for (const Var& v : free_vars(launch.groups[i])) {
      if (std::find(f.sizes.begin(), f.sizes.end(), v) != f.sizes.end()) continue;
      return error(ErrorCode::kUnsupported, "function {}: the number of work-groups {} depends on {}, which is no size",
                   f.name, ir::print(launch.groups[i]), v.name());
    }
    launch.threads[i] = g.threads[i] ? *as_const_int(g.threads[i]->extent) : 1;
    total *= launch.threads[i];
  }
  for (const Buffer& b : g.shared) {
    int64_t bytes = b->dtype.bytes();
    for (const Expr& e : b->shape) bytes *= as_const_int(e) ? *as_const_int(e) : 0;  // others are refused when printed
    launch.shared_bytes += bytes;
  }
  if (target.max_threads > 1 && total > target.max_threads) {
    return error(ErrorCode::kUnsupported, "function {}: a work-group has {} threads, the target allows {}", f.name,
                 total, target.max_threads);
  }
  if (target.shared_bytes > 0 && launch.shared_bytes > target.shared_bytes) {
    return error(ErrorCode::kUnsupported,
                 "function {}: a work-group needs {} bytes of shared memory, the target has {}", f.name,
                 launch.shared_bytes, target.shared_bytes);
  }
  return launch;
}

bool uses_double(const ir::Module& m) {
  bool found = false;
  for (const PrimFunc& f : m.functions) {
    for (const Buffer& b : f.buffers) found = found || b->dtype == DType::f64();
    for_each_expr(f.body, [&](const Expr& e) { found = found || e.dtype().scalar() == DType::f64(); });
  }
  return found;
}

Result<CFunction> emit_function(const PrimFunc& f, const CDialect& dialect, const target::Target& target,
                                std::string& source) {
  CFunction out{f.name, f.sizes, {}};
  std::vector<Stmt> grids;
  MLC_TRY_VOID(split_grids(f, f.body, grids));
  for (size_t i = 0; i < grids.size(); ++i) {
    const Grid grid = take_apart(grids[i]);
    const std::string kernel = grids.size() == 1 ? f.name : fmt::format("{}_{}", f.name, i);
    MLC_TRY(CLaunch launch, launch_of(f, grid, kernel, target));
    MLC_TRY(std::string text, KernelPrinter(dialect, f).print(kernel, grid, launch.threads));
    source += "\n" + text;
    out.launches.push_back(std::move(launch));
  }
  return out;
}

}  // namespace

Result<CProgram> emit_c(const ir::Module& lowered, const target::Target& target) {
  const CDialect* dialect = find_dialect(target.kind);
  if (!dialect) {
    return error(ErrorCode::kUnsupported, "there is no C-like language for {}", target::kind_name(target.kind));
  }
  CProgram program;
  program.source += dialect->prelude;
  if (uses_double(lowered)) program.source += dialect->double_prelude;
  for (const PrimFunc& f : lowered.functions) {
    MLC_TRY(CFunction emitted, emit_function(f, *dialect, target, program.source));
    program.functions.push_back(std::move(emitted));
  }
  return program;
}

Result<std::array<int64_t, 3>> launch_groups(const CFunction& f, const CLaunch& launch,
                                             std::span<const int64_t> sizes) {
  if (sizes.size() != f.sizes.size()) {
    return error("function {} takes {} sizes, {} were given", f.name, f.sizes.size(), sizes.size());
  }
  VarMap values;
  for (size_t i = 0; i < sizes.size(); ++i) values[f.sizes[i]] = Expr(sizes[i]);
  std::array<int64_t, 3> groups{};
  for (size_t i = 0; i < 3; ++i) {
    const Expr value = evaluate_constant(substitute(launch.groups[i], values));
    const int64_t* n = as_const_int(value);
    if (!n) return error("function {}: {} groups cannot be computed", f.name, ir::print(launch.groups[i]));
    groups[i] = std::max<int64_t>(*n, 0);
  }
  return groups;
}

}  // namespace mlc::codegen
