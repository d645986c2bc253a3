#include "ir/verify.h"

#include <set>

#include "ir/intrinsics.h"
#include "ir/text.h"
#include "ir/typing.h"
#include "ir/visit.h"

namespace mlc::ir {

namespace {

// Thrown inside, turned into an Error at the door.
struct Violation {
  std::string reason;
};
template <typename... Args>
[[noreturn]] void violation(fmt::format_string<Args...> f, Args&&... args) {
  throw Violation{fmt::format(f, std::forward<Args>(args)...)};
}

// Runs the typing rules, which stand in the builders, on a node that exists.
struct Retype {
 public:
  // The node built anew from the same children.
  static void check(const Expr& e) {
    const DType t = match(
        e, [&](const IntImm& x) { return imm(e.dtype(), x.value).dtype(); },
        [&](const FloatImm& x) { return fimm(e.dtype(), x.value).dtype(); },
        [&](const VarRef& x) { return x.var.dtype(); }, [&](const Unary& x) { return unary(x.op, x.a).dtype(); },
        [&](const Binary& x) { return binary(x.op, x.a, x.b).dtype(); },
        [&](const Cast& x) { return cast(e.dtype(), x.a).dtype(); },
        [&](const Reinterpret& x) { return reinterpret(e.dtype(), x.a).dtype(); },
        [&](const Select& x) { return select(x.cond, x.if_true, x.if_false).dtype(); },
        [&](const Load& x) { return load(x.buffer, x.indices, x.predicate).dtype(); },
        [&](const LoadBits& x) { return load_bits(e.dtype(), x.buffer, x.indices).dtype(); },
        [&](const Ramp& x) { return ramp(x.base, x.stride, e.dtype().lanes).dtype(); },
        [&](const Broadcast& x) { return broadcast(x.a, e.dtype().lanes).dtype(); },
        [&](const Shuffle& x) { return shuffle(x.vectors, x.indices).dtype(); },
        [&](const VectorReduce& x) { return vector_reduce(x.op, x.a).dtype(); },
        [&](const Call& x) {
          check_call(e.dtype(), x);
          return e.dtype();
        });
    if (t != e.dtype()) violation("expression {} has type {}, expected {}", print(e), e.dtype().str(), t.str());
    if (const IntImm* i = as<IntImm>(e); i && wrap_int(e.dtype(), i->value) != i->value) {
      violation("constant {} does not fit {}", i->value, e.dtype().str());
    }
  }

 private:
  static void check_call(DType result, const Call& c) {
    if (const MathIntrinsic* m = find_math(c.intrinsic)) {
      if (static_cast<int>(c.args.size()) != m->num_args) {
        violation("{} takes {} arguments, not {}", c.intrinsic, m->num_args, c.args.size());
      }
      const bool integers = m->integers;
      const bool both = c.intrinsic == "abs";
      for (size_t i = 0; i < c.args.size(); ++i) {
        const Expr& a = c.args[i];
        if (m->words && (i > 0 || !(result.scalar() == DType::f32()))) {
          if (i == 0 || a.dtype() != DType::u32().with_lanes(result.lanes)) {
            violation("argument {} of {} is {} with result {}", i, c.intrinsic, a.dtype().str(), result.str());
          }
          continue;
        }
        const bool kind_ok = both ? !a.dtype().is_bool() : integers ? a.dtype().is_any_int() : a.dtype().is_float();
        if (a.dtype() != result || !kind_ok) {
          violation("{} of {} with result {}", c.intrinsic, a.dtype().str(), result.str());
        }
      }
      return;
    }
    const HwInstruction* h = find_instruction(c.intrinsic);
    if (!h) violation("unknown intrinsic {}", c.intrinsic);
    if (h->result != result) violation("{} gives {}, not {}", c.intrinsic, h->result.str(), result.str());
    if (h->args.size() != c.args.size()) violation("{} takes {} arguments", c.intrinsic, h->args.size());
    for (size_t i = 0; i < c.args.size(); ++i) {
      if (c.args[i].dtype() != h->args[i]) {
        violation("argument {} of {} is {}, expected {}", i, c.intrinsic, c.args[i].dtype().str(), h->args[i].str());
      }
    }
  }
};

class Verifier : public Visitor {
 public:
  Verifier(const PrimFunc& f, Level level) : f_(f), level_(level) {}

  void run() {
    if (f_.name.empty()) violation("the function has no name");
    for (const Var& v : f_.sizes) {
      if (!v || v.dtype() != DType::i64()) violation("size {} is not an i64", v ? v.name() : "(null)");
      if (!sizes_.insert(v).second) violation("size {} appears twice", v.name());
      vars_.insert(v);
    }
    for (const Buffer& b : f_.buffers) {
      if (b && b->scope != Scope::kGlobal) violation("parameter {} is not in global memory", b->name);
      declare(b);
    }
    if (!f_.body) violation("the function has no body");
    visit(f_.body);
    if (level_ == Level::kLowered && parallel_loops_ > 0) check_outside_parallel(f_.body);
  }

  using Visitor::visit;
  void visit(const Expr& e) override;
  void visit(const Stmt& s) override;

  // The innermost statement being looked at, for the message.
  Stmt where;

 private:
  const PrimFunc& f_;
  Level level_;
  std::set<Var> vars_, sizes_;
  std::set<Buffer> buffers_;
  std::set<std::string> block_names_;
  std::set<Var> outer_vars_;  // loop variables that a block hides
  int parallel_depth_ = 0;
  int parallel_loops_ = 0;

  // Every worker runs what stands outside the parallel loop, so that it must not write.
  void check_outside_parallel(const Stmt& s) {
    if (!s) return;
    const For* loop = as<For>(s);
    if (loop && loop->kind == ForKind::kParallel) return;
    where = s;
    if (loop) violation("the parallel loop stands inside the loop {}", loop->var.name());
    if (as<Store>(s)) violation("a store stands outside the parallel loop, where every worker would run it");
    if (const If* x = as<If>(s)) {
      check_outside_parallel(x->then_case);
      check_outside_parallel(x->else_case);
    } else if (const Seq* q = as<Seq>(s)) {
      for (const Stmt& c : q->stmts) check_outside_parallel(c);
    } else if (const Allocate* a = as<Allocate>(s)) {
      check_outside_parallel(a->body);
    } else if (const Let* l = as<Let>(s)) {
      check_outside_parallel(l->body);
    }
  }

  void declare(const Buffer& b) {
    if (!b) violation("a buffer is null");
    if (b->dtype.lanes != 1) violation("buffer {} holds vectors", b->name);
    if (b->alignment_bytes <= 0 || (b->alignment_bytes & (b->alignment_bytes - 1)) != 0) {
      violation("buffer {} is aligned to {} bytes, not a power of two", b->name, b->alignment_bytes);
    }
    for (const Expr& d : b->shape) {
      if (!d || d.dtype() != DType::i64()) violation("a dimension of buffer {} is not an i64", b->name);
      for_each_expr(d, [&](const Expr& x) {
        const VarRef* v = as<VarRef>(x);
        if (v && !sizes_.count(v->var)) {
          violation("the shape of buffer {} uses {}, which is no size of the function", b->name, v->var.name());
        }
        if (as<Load>(x) || as<LoadBits>(x)) violation("the shape of buffer {} loads from memory", b->name);
      });
      if (const int64_t* n = as_const_int(d); n && *n < 0) violation("buffer {} has dimension {}", b->name, *n);
    }
    if (!buffers_.insert(b).second) violation("buffer {} is declared twice", b->name);
  }
  void need(const Buffer& b) {
    if (!b || !buffers_.count(b)) violation("buffer {} is used outside its scope", b ? b->name : "(null)");
  }
  void bind(const Var& v) {
    if (!v) violation("a variable is null");
    if (!vars_.insert(v).second) violation("variable {} is bound twice", v.name());
  }
  void need_i64(const Expr& e, const char* what, const std::string& of) {
    if (!e || e.dtype() != DType::i64()) violation("{} of {} is not an i64", what, of);
  }
  void loop(const For& x);
  void block(const Block& b);
  void regions(const std::vector<BufferRegion>& rs);
};

void Verifier::visit(const Expr& e) {
  if (!e) return;
  if (const VarRef* v = as<VarRef>(e)) {
    if (!vars_.count(v->var)) {
      if (outer_vars_.count(v->var)) {
        violation("variable {} of a loop outside is used inside a block; only the block's variables are visible",
                  v->var.name());
      }
      violation("variable {} is used before it is defined", v->var.name());
    }
  }
  if (const Load* l = as<Load>(e)) need(l->buffer);
  if (const LoadBits* l = as<LoadBits>(e)) need(l->buffer);
  Visitor::visit(e);
  Retype::check(e);
}

void Verifier::loop(const For& x) {
  need_i64(x.min, "minimum", "loop " + x.var.name());
  need_i64(x.extent, "extent", "loop " + x.var.name());
  if (x.var.dtype() != DType::i64()) violation("variable of loop {} is not an i64", x.var.name());
  const bool vector = x.kind == ForKind::kVectorized || x.kind == ForKind::kUnrolled;
  if (vector && level_ == Level::kLowered) violation("loop {} is still vectorized or unrolled", x.var.name());
  if (vector && !as_const_int(x.extent)) {
    violation("vectorized or unrolled loop {} has extent {}, which is no constant", x.var.name(), print(x.extent));
  }
  if ((x.kind == ForKind::kThread) == x.thread.empty()) violation("loop {} and its thread axis disagree", x.var.name());
  const bool parallel = x.kind == ForKind::kParallel;
  parallel_loops_ += parallel;
  if (parallel_loops_ > 1 && parallel_depth_ == 0 && level_ == Level::kLowered) {
    violation("loop {} is a second parallel loop; workers have no barrier between the two", x.var.name());
  }
  if (parallel && parallel_depth_ > 0 && level_ == Level::kLowered) {
    violation("parallel loop {} stands inside another parallel loop", x.var.name());
  }
  visit(x.min);
  visit(x.extent);
  if (!x.body) violation("loop {} has no body", x.var.name());
  bind(x.var);
  parallel_depth_ += parallel;
  visit(x.body);
  parallel_depth_ -= parallel;
  vars_.erase(x.var);
}

void Verifier::regions(const std::vector<BufferRegion>& rs) {
  for (const BufferRegion& r : rs) {
    need(r.buffer);
    if (r.ranges.size() != r.buffer->shape.size())
      violation("a region of buffer {} has the wrong rank", r.buffer->name);
    for (const Range& range : r.ranges) {
      need_i64(range.min, "minimum of a region", "buffer " + r.buffer->name);
      need_i64(range.extent, "extent of a region", "buffer " + r.buffer->name);
      visit(range.min);
      visit(range.extent);
    }
  }
}

void Verifier::block(const Block& b) {
  if (level_ == Level::kLowered) violation("block {} is still there", b.name);
  if (b.name.empty()) violation("a block has no name");
  if (!block_names_.insert(b.name).second) violation("two blocks are named {}", b.name);
  for (const IterVar& it : b.iters) {
    need_i64(it.extent, "extent", "a variable of block " + b.name);
    need_i64(it.binding, "binding", "a variable of block " + b.name);
    visit(it.extent);
    visit(it.binding);
  }
  if (b.predicate && b.predicate.dtype() != DType::boolean()) violation("predicate of block {} is no bool", b.name);
  visit(b.predicate);
  // Inside, only the block's variables and the sizes exist.
  std::set<Var> saved = std::exchange(vars_, sizes_);
  std::set<Var> saved_outer = outer_vars_;
  outer_vars_.insert(saved.begin(), saved.end());
  bool reduces = false;
  for (const IterVar& it : b.iters) {
    if (saved.count(it.var)) violation("variable {} is bound twice", it.var.name());
    bind(it.var);
    reduces |= it.kind == IterKind::kReduce;
  }
  for (const Buffer& a : b.allocs) declare(a);
  regions(b.reads);
  regions(b.writes);
  if (b.init && !reduces) violation("block {} has an init but no reduce variable", b.name);
  if (!b.body) violation("block {} has no body", b.name);
  visit(b.init);
  visit(b.body);
  for (const Buffer& a : b.allocs) buffers_.erase(a);
  vars_ = std::move(saved);
  outer_vars_ = std::move(saved_outer);
}

void Verifier::visit(const Stmt& s) {
  if (!s) return;
  Stmt outside = std::exchange(where, s);
  match(
      s, [&](const For& x) { loop(x); },
      [&](const Store& x) {
        need(x.buffer);
        store(x.buffer, x.indices, x.value, x.predicate);
        Visitor::visit(s);
      },
      [&](const If& x) {
        if_(x.cond, x.then_case, x.else_case);
        Visitor::visit(s);
      },
      [&](const Seq& x) {
        for (const Stmt& c : x.stmts) {
          if (!c) violation("a statement of a sequence is null");
        }
        Visitor::visit(s);
      },
      [&](const Allocate& x) {
        declare(x.buffer);
        if (!x.body) violation("the allocation of {} has no body", x.buffer->name);
        visit(x.body);
        buffers_.erase(x.buffer);
      },
      [&](const Let& x) {
        let(x.var, x.value, x.body);
        visit(x.value);
        bind(x.var);
        visit(x.body);
        vars_.erase(x.var);
      },
      [&](const Block& x) { block(x); },
      [&](const Evaluate& x) {
        if (!x.value) violation("nothing to evaluate");
        Visitor::visit(s);
      },
      [&](const Assume& x) {
        if (!x.cond) violation("nothing to assume");
        assume(x.cond);
        Visitor::visit(s);
      },
      [&](const Prefetch& x) {
        need(x.buffer);
        prefetch(x.buffer, x.indices, x.locality);
        Visitor::visit(s);
      },
      [&](const Barrier&) {});
  where = std::move(outside);
}

// The first lines of a statement.
std::string head_of(const Stmt& s) {
  std::string text = print(s, 1);
  size_t end = 0;
  for (int i = 0; i < 6 && end != std::string::npos; ++i) end = text.find('\n', end + 1);
  if (end != std::string::npos && end + 1 < text.size()) text = text.substr(0, end) + "\n  …";
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Error fail(const PrimFunc& f, const Verifier& v, const std::string& reason) {
  if (!v.where) return error("function {}: {}", f.name, reason);
  return error("function {}: {}\nin\n{}", f.name, reason, head_of(v.where));
}

}  // namespace

Result<void> verify(const PrimFunc& f, Level level) {
  typing::Guard guard;
  Verifier v(f, level);
  try {
    v.run();
  } catch (const Violation& x) {
    return fail(f, v, x.reason);
  } catch (const typing::Fault& x) {
    return fail(f, v, x.message);
  }
  return {};
}

Result<void> verify(const Module& m, Level level) {
  std::set<std::string> names;
  for (const PrimFunc& f : m.functions) {
    if (!names.insert(f.name).second) return error("two functions are named {}", f.name);
    MLC_TRY_VOID(verify(f, level));
  }
  return {};
}

}  // namespace mlc::ir
