#include "ir/interp_program.h"

namespace mlc::ir::interp {

namespace {

class Compiler {
 public:
  std::shared_ptr<const Program> run(const PrimFunc& f) {
    p_->func = f;
    for (const Var& v : f.sizes) p_->sizes.push_back(variable(v));
    for (const Buffer& b : f.buffers) declare(b);
    p_->body = stmt(f.body);
    return std::move(p_);
  }

 private:
  std::shared_ptr<Program> p_ = std::make_shared<Program>();
  std::map<Var, int> vars_;
  std::map<Buffer, int> buffers_;
  std::map<const ExprNode*, int> seen_;
  std::vector<Expr> keep_;  // so that addresses in seen_ stay unique

  int slots(int n) {
    const int first = static_cast<int>(p_->initial.size());
    p_->initial.resize(p_->initial.size() + static_cast<size_t>(n), Slot{0});
    return first;
  }
  int variable(const Var& v) {
    auto it = vars_.find(v);
    if (it != vars_.end()) return it->second;
    return vars_[v] = slots(v.dtype().lanes);
  }
  int declare(const Buffer& b) {
    auto it = buffers_.find(b);
    if (it != buffers_.end()) return it->second;
    BufferInfo info{b, b->dtype, exprs(b->shape), slots(static_cast<int>(b->shape.size()))};
    const int id = static_cast<int>(p_->buffers.size());
    p_->buffers.push_back(std::move(info));
    return buffers_[b] = id;
  }
  std::vector<int> exprs(const std::vector<Expr>& es) {
    std::vector<int> out;
    for (const Expr& e : es) out.push_back(expr(e));
    return out;
  }
  int expr(const Expr& e);
  void operands(ENode& n, std::vector<Expr> args) {
    n.operand = args[0].dtype();
    n.args = exprs(args);
  }
  void call(ENode& n, const Call& c);
  int stmt(const Stmt& s);
  void loop(SNode& n, const For& x);
  void block(SNode& n, const Block& x);
  int child(SNode& n, const Stmt& s) {
    const int id = s ? stmt(s) : -1;
    if (id >= 0) n.group |= p_->stmts[static_cast<size_t>(id)].group;
    n.children.push_back(id);
    return id;
  }
};

void Compiler::call(ENode& n, const Call& c) {
  static constexpr std::pair<std::string_view, MathOp> kMath[] = {
      {"exp", MathOp::kExp},        {"exp2", MathOp::kExp2},         {"log", MathOp::kLog},
      {"sqrt", MathOp::kSqrt},      {"rsqrt", MathOp::kRsqrt},       {"abs", MathOp::kAbs},
      {"floor", MathOp::kFloor},    {"ceil", MathOp::kCeil},         {"round", MathOp::kRound},
      {"tanh", MathOp::kTanh},      {"sin", MathOp::kSin},           {"cos", MathOp::kCos},
      {"fma", MathOp::kFma},        {"popcount", MathOp::kPopcount}, {"dot4_u8s8", MathOp::kDot4},
      {"dot4_u7s8", MathOp::kDot4}, {"dot2_bf16", MathOp::kDot2}};
  operands(n, c.args);
  for (const auto& [name, op] : kMath) {
    if (name != c.intrinsic) continue;
    n.kind = EKind::kMath;
    n.op = static_cast<uint8_t>(op);
    return;
  }
  const HwInstruction* h = find_instruction(c.intrinsic);
  MLC_CHECK(h, "unknown intrinsic {}: verify the function before running it", c.intrinsic);
  n.kind = EKind::kInstruction;
  n.meaning = compile(h->meaning);
}

int Compiler::expr(const Expr& e) {
  if (auto it = seen_.find(e.get()); it != seen_.end()) return it->second;
  ENode n;
  n.type = e.dtype();
  if (const VarRef* v = as<VarRef>(e)) {
    n.out = variable(v->var);
  } else {
    n.out = slots(n.type.lanes);
  }
  auto first = [&] { return &p_->initial[static_cast<size_t>(n.out)]; };
  match(
      e, [&](const IntImm& x) { first()->i = x.value; }, [&](const FloatImm& x) { first()->f = x.value; },
      [&](const VarRef&) {},
      [&](const Unary& x) {
        n.kind = EKind::kUnary;
        n.op = static_cast<uint8_t>(x.op);
        operands(n, {x.a});
      },
      [&](const Binary& x) {
        n.kind = EKind::kBinary;
        n.op = static_cast<uint8_t>(x.op);
        operands(n, {x.a, x.b});
      },
      [&](const Cast& x) {
        n.kind = EKind::kCast;
        operands(n, {x.a});
      },
      [&](const Reinterpret& x) {
        n.kind = EKind::kReinterpret;
        operands(n, {x.a});
      },
      [&](const Select& x) {
        n.kind = EKind::kSelect;
        operands(n, {x.cond, x.if_true, x.if_false});
      },
      [&](const Load& x) {
        n.kind = EKind::kLoad;
        n.buffer = declare(x.buffer);
        n.args = exprs(x.indices);
        if (x.predicate) n.predicate = expr(x.predicate);
      },
      [&](const LoadBits& x) {
        n.kind = EKind::kLoadBits;
        n.buffer = declare(x.buffer);
        n.args = exprs(x.indices);
      },
      [&](const Ramp& x) {
        n.kind = EKind::kRamp;
        operands(n, {x.base, x.stride});
      },
      [&](const Broadcast& x) {
        n.kind = EKind::kBroadcast;
        operands(n, {x.a});
      },
      [&](const Shuffle& x) {
        n.kind = EKind::kShuffle;
        operands(n, x.vectors);
        n.lanes = x.indices;
      },
      [&](const VectorReduce& x) {
        n.kind = EKind::kVectorReduce;
        n.op = static_cast<uint8_t>(x.op);
        operands(n, {x.a});
      },
      [&](const Call& x) { call(n, x); });
  const int id = static_cast<int>(p_->exprs.size());
  p_->exprs.push_back(std::move(n));
  keep_.push_back(e);
  return seen_[e.get()] = id;
}

void Compiler::loop(SNode& n, const For& x) {
  n.kind = SKind::kFor;
  n.a = expr(x.min);
  n.b = expr(x.extent);
  n.slot = variable(x.var);
  n.thread_axis = x.kind == ForKind::kThread && x.thread.rfind("blockIdx", 0) != 0;
  child(n, x.body);
  // A block of threads is a group of its own: what is outside does not take part in its barriers.
  if (x.kind == ForKind::kThread && !n.thread_axis) n.group = false;
}

void Compiler::block(SNode& n, const Block& x) {
  n.kind = SKind::kBlock;
  for (const IterVar& it : x.iters) {
    n.iters.push_back({0, expr(it.extent), expr(it.binding), it.kind == IterKind::kReduce});
  }
  if (x.predicate) n.predicate = expr(x.predicate);
  for (size_t i = 0; i < x.iters.size(); ++i) n.iters[i].slot = variable(x.iters[i].var);
  for (const Buffer& b : x.allocs) {
    n.allocs.push_back(declare(b));
    n.group |= b->scope == Scope::kShared;
  }
  child(n, x.init);
  child(n, x.body);
}

int Compiler::stmt(const Stmt& s) {
  SNode n;
  n.source = s;
  match(
      s, [&](const For& x) { loop(n, x); },
      [&](const Store& x) {
        n.kind = SKind::kStore;
        n.buffer = declare(x.buffer);
        n.indices = exprs(x.indices);
        n.a = expr(x.value);
        if (x.predicate) n.predicate = expr(x.predicate);
      },
      [&](const If& x) {
        n.kind = SKind::kIf;
        n.a = expr(x.cond);
        child(n, x.then_case);
        child(n, x.else_case);
      },
      [&](const Seq& x) {
        n.kind = SKind::kSeq;
        for (const Stmt& c : x.stmts) child(n, c);
      },
      [&](const Allocate& x) {
        n.kind = SKind::kAllocate;
        n.buffer = declare(x.buffer);
        n.group = x.buffer->scope == Scope::kShared;
        child(n, x.body);
      },
      [&](const Let& x) {
        n.kind = SKind::kLet;
        n.a = expr(x.value);
        n.slot = variable(x.var);
        child(n, x.body);
      },
      [&](const Block& x) { block(n, x); },
      [&](const Evaluate& x) {
        n.kind = SKind::kEvaluate;
        n.a = expr(x.value);
      },
      [&](const Assume& x) {
        n.kind = SKind::kAssume;
        n.a = expr(x.cond);
      },
      [&](const Prefetch&) { n.kind = SKind::kNothing; },
      [&](const Barrier&) {
        n.kind = SKind::kBarrier;
        n.group = true;
      });
  const int id = static_cast<int>(p_->stmts.size());
  p_->stmts.push_back(std::move(n));
  return id;
}

}  // namespace

std::shared_ptr<const Program> compile(const PrimFunc& f) { return Compiler().run(f); }

}  // namespace mlc::ir::interp
