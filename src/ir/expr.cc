#include "ir/expr.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/typing.h"

namespace mlc::ir {

namespace typing {

static thread_local bool throwing = false;
Guard::Guard() : before_(throwing) { throwing = true; }
Guard::~Guard() { throwing = before_; }
void fail(const char* condition, const char* file, int line, const std::string& message) {
  if (throwing) throw Fault{message};
  check_failed(condition, file, line, message);
}

}  // namespace typing

namespace {

template <typename T>
Expr make(DType dtype, T kind) {
  return Expr(std::make_shared<const ExprNode>(ExprNode{dtype, std::move(kind)}));
}

bool is_comparison(BinaryOp op) { return op >= BinaryOp::kEq; }

bool op_accepts(BinaryOp op, DType t) {
  switch (op) {
    case BinaryOp::kAdd:
    case BinaryOp::kSub:
    case BinaryOp::kMul:
    case BinaryOp::kMin:
    case BinaryOp::kMax:
    case BinaryOp::kLt:
    case BinaryOp::kLe:
    case BinaryOp::kGt:
    case BinaryOp::kGe:
      return !t.is_bool();
    case BinaryOp::kDiv:
      return t.is_float();
    case BinaryOp::kFloorDiv:
    case BinaryOp::kFloorMod:
    case BinaryOp::kShl:
    case BinaryOp::kShr:
      return t.is_any_int();
    case BinaryOp::kAnd:
    case BinaryOp::kOr:
    case BinaryOp::kXor:
      return !t.is_float();
    case BinaryOp::kEq:
    case BinaryOp::kNe:
      return true;
  }
  return false;
}

// Rounds to float towards the odd mantissa, so that a second rounding to 16 bits gives the same as one rounding.
float round_to_odd(double value) {
  float f = static_cast<float>(value);
  if (static_cast<double>(f) == value || std::isnan(value) || std::isinf(value)) return f;
  if (std::fabs(static_cast<double>(f)) > std::fabs(value)) f = std::nextafterf(f, 0.0f);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(f) | 1u);
}

}  // namespace

const std::string& Var::name() const { return node_->name; }
DType Var::dtype() const { return node_->dtype; }
Expr::Expr(const Var& v) {
  MLC_TYPE_CHECK(v, "a null variable cannot be an expression");
  *this = make(v.dtype(), VarRef{v});
}
Expr::Expr(int value) : Expr(static_cast<int64_t>(value)) {}
Expr::Expr(int64_t value) { *this = make(DType::i64(), IntImm{value}); }
DType Expr::dtype() const { return node_->dtype; }

int64_t wrap_int(DType dtype, int64_t value) {
  if (dtype.is_bool()) return value != 0;
  if (dtype.bits >= 64) return value;
  const int shift = 64 - dtype.bits;
  const uint64_t raised = static_cast<uint64_t>(value) << shift;
  if (dtype.is_int()) return static_cast<int64_t>(raised) >> shift;
  return static_cast<int64_t>(raised >> shift);
}

double round_float(DType dtype, double value) {
  if (dtype.bits == 64) return value;
  if (dtype.bits == 32) return static_cast<float>(value);
  const float f = round_to_odd(value);
  return dtype.is_bfloat() ? bf16_to_f32(f32_to_bf16(f)) : f16_to_f32(f32_to_f16(f));
}

Var var(std::string name, DType dtype) { return Var(std::make_shared<const VarNode>(VarNode{std::move(name), dtype})); }

Buffer buffer(std::string name, DType dtype, std::vector<Expr> shape, Scope scope) {
  MLC_TYPE_CHECK(dtype.lanes == 1, "buffer {} must hold scalars, not {}", name, dtype.str());
  for (const Expr& e : shape) {
    MLC_TYPE_CHECK(e && e.dtype() == DType::i64(), "a dimension of buffer {} is not an i64", name);
  }
  return Buffer(std::make_shared<const BufferNode>(BufferNode{std::move(name), dtype, std::move(shape), scope}));
}

Expr imm(DType dtype, int64_t value) {
  MLC_TYPE_CHECK(!dtype.is_float(), "imm of type {}: use fimm", dtype.str());
  return broadcast(make(dtype.scalar(), IntImm{wrap_int(dtype, value)}), dtype.lanes);
}

Expr fimm(DType dtype, double value) {
  MLC_TYPE_CHECK(dtype.is_float(), "fimm of type {}: use imm", dtype.str());
  return broadcast(make(dtype.scalar(), FloatImm{round_float(dtype, value)}), dtype.lanes);
}

Expr zero(DType dtype) { return dtype.is_float() ? fimm(dtype, 0.0) : imm(dtype, 0); }

Expr unary(UnaryOp op, Expr a) {
  const DType t = a.dtype();
  MLC_TYPE_CHECK(op == UnaryOp::kNot ? !t.is_float() : !t.is_bool(), "unary operator on {}", t.str());
  return make(t, Unary{op, std::move(a)});
}

Expr binary(BinaryOp op, Expr a, Expr b) {
  MLC_TYPE_CHECK(a && b, "a binary operator needs two operands");
  const DType t = a.dtype();
  MLC_TYPE_CHECK(t == b.dtype(), "operands of a binary operator differ: {} and {}", t.str(), b.dtype().str());
  MLC_TYPE_CHECK(op_accepts(op, t), "binary operator {} on {}", static_cast<int>(op), t.str());
  return make(is_comparison(op) ? DType::boolean().with_lanes(t.lanes) : t, Binary{op, std::move(a), std::move(b)});
}

Expr cast(DType dtype, Expr a) {
  if (a.dtype() == dtype) return a;
  MLC_TYPE_CHECK(a.dtype().lanes == dtype.lanes, "cast from {} to {} changes lanes", a.dtype().str(), dtype.str());
  return make(dtype, Cast{std::move(a)});
}

Expr reinterpret(DType dtype, Expr a) {
  if (a.dtype() == dtype) return a;
  MLC_TYPE_CHECK(a.dtype().bytes() == dtype.bytes(), "reinterpret from {} to {} changes size", a.dtype().str(),
                 dtype.str());
  return make(dtype, Reinterpret{std::move(a)});
}

Expr select(Expr cond, Expr if_true, Expr if_false) {
  const DType t = if_true.dtype();
  MLC_TYPE_CHECK(t == if_false.dtype(), "arms of a select differ: {} and {}", t.str(), if_false.dtype().str());
  MLC_TYPE_CHECK(cond.dtype() == DType::boolean().with_lanes(t.lanes), "condition {} of a select of {}",
                 cond.dtype().str(), t.str());
  return make(t, Select{std::move(cond), std::move(if_true), std::move(if_false)});
}

// Lanes of an access; checks count and types of the indices.
static int access_lanes(const Buffer& buffer, const std::vector<Expr>& indices) {
  MLC_TYPE_CHECK(buffer && indices.size() == buffer->shape.size(),
                 "buffer {} has {} dimensions, accessed with {} indices", buffer ? buffer->name : "(null)",
                 buffer ? buffer->shape.size() : 0, indices.size());
  int lanes = 1;
  for (const Expr& i : indices) {
    MLC_TYPE_CHECK(i && i.dtype().scalar() == DType::i64(), "an index of buffer {} is not i64", buffer->name);
    if (i.dtype().lanes == 1) continue;
    MLC_TYPE_CHECK(lanes == 1 || lanes == i.dtype().lanes, "indices of buffer {} have {} and {} lanes", buffer->name,
                   lanes, i.dtype().lanes);
    lanes = i.dtype().lanes;
  }
  return lanes;
}

Expr load(const Buffer& buffer, std::vector<Expr> indices, Expr predicate) {
  const int lanes = access_lanes(buffer, indices);
  MLC_TYPE_CHECK(!predicate || predicate.dtype() == DType::boolean().with_lanes(lanes),
                 "predicate {} of a load of {} lanes", predicate.dtype().str(), lanes);
  return make(buffer->dtype.with_lanes(lanes), Load{buffer, std::move(indices), std::move(predicate)});
}

Expr load_bits(DType dtype, const Buffer& buffer, std::vector<Expr> indices) {
  MLC_TYPE_CHECK(access_lanes(buffer, indices) == 1, "load_bits of buffer {} needs scalar indices", buffer->name);
  return make(dtype, LoadBits{buffer, std::move(indices)});
}

Expr ramp(Expr base, Expr stride, int lanes) {
  MLC_TYPE_CHECK(lanes >= 1 && base.dtype() == stride.dtype() && base.dtype().lanes == 1 && base.dtype().is_any_int(),
                 "ramp of {} and {}, {} lanes", base.dtype().str(), stride.dtype().str(), lanes);
  if (lanes == 1) return base;
  const DType t = base.dtype().with_lanes(lanes);
  return make(t, Ramp{std::move(base), std::move(stride)});
}

Expr broadcast(Expr a, int lanes) {
  MLC_TYPE_CHECK(a.dtype().lanes == 1 && lanes >= 1, "broadcast of {} to {} lanes", a.dtype().str(), lanes);
  if (lanes == 1) return a;
  const DType t = a.dtype().with_lanes(lanes);
  return make(t, Broadcast{std::move(a)});
}

Expr shuffle(std::vector<Expr> vectors, std::vector<int> indices) {
  MLC_TYPE_CHECK(!vectors.empty() && !indices.empty(), "a shuffle needs vectors and indices");
  const DType t = vectors[0].dtype().scalar();
  int total = 0;
  for (const Expr& v : vectors) {
    MLC_TYPE_CHECK(v.dtype().scalar() == t, "shuffle of {} and {}", t.str(), v.dtype().str());
    total += v.dtype().lanes;
  }
  for (int i : indices) MLC_TYPE_CHECK(i >= 0 && i < total, "shuffle index {} of {} lanes", i, total);
  const DType result = t.with_lanes(static_cast<int>(indices.size()));
  return make(result, Shuffle{std::move(vectors), std::move(indices)});
}

Expr vector_reduce(ReduceOp op, Expr a) {
  MLC_TYPE_CHECK(!a.dtype().is_bool(), "vector_reduce of {}", a.dtype().str());
  const DType t = a.dtype().scalar();
  return make(t, VectorReduce{op, std::move(a)});
}

Expr call(DType dtype, std::string intrinsic, std::vector<Expr> args) {
  for (const Expr& a : args) MLC_TYPE_CHECK(a, "a null argument of {}", intrinsic);
  return make(dtype, Call{std::move(intrinsic), std::move(args)});
}

static Expr math(const char* name, std::vector<Expr> args) {
  const DType t = args[0].dtype();
  for (const Expr& a : args) MLC_TYPE_CHECK(a.dtype() == t && t.is_float(), "{} of {}", name, a.dtype().str());
  return call(t, name, std::move(args));
}
Expr exp(Expr a) { return math("exp", {std::move(a)}); }
Expr sqrt(Expr a) { return math("sqrt", {std::move(a)}); }
Expr rsqrt(Expr a) { return math("rsqrt", {std::move(a)}); }
Expr fma(Expr a, Expr b, Expr c) { return math("fma", {std::move(a), std::move(b), std::move(c)}); }

Expr min(Expr a, Expr b) { return binary(BinaryOp::kMin, std::move(a), std::move(b)); }
Expr max(Expr a, Expr b) { return binary(BinaryOp::kMax, std::move(a), std::move(b)); }
Expr floordiv(Expr a, Expr b) { return binary(BinaryOp::kFloorDiv, std::move(a), std::move(b)); }
Expr floormod(Expr a, Expr b) { return binary(BinaryOp::kFloorMod, std::move(a), std::move(b)); }
Expr operator+(Expr a, Expr b) { return binary(BinaryOp::kAdd, std::move(a), std::move(b)); }
Expr operator-(Expr a, Expr b) { return binary(BinaryOp::kSub, std::move(a), std::move(b)); }
Expr operator*(Expr a, Expr b) { return binary(BinaryOp::kMul, std::move(a), std::move(b)); }
Expr operator/(Expr a, Expr b) { return binary(BinaryOp::kDiv, std::move(a), std::move(b)); }
Expr operator-(Expr a) { return unary(UnaryOp::kNeg, std::move(a)); }
Expr operator&(Expr a, Expr b) { return binary(BinaryOp::kAnd, std::move(a), std::move(b)); }
Expr operator|(Expr a, Expr b) { return binary(BinaryOp::kOr, std::move(a), std::move(b)); }
Expr operator^(Expr a, Expr b) { return binary(BinaryOp::kXor, std::move(a), std::move(b)); }
Expr operator<<(Expr a, Expr b) { return binary(BinaryOp::kShl, std::move(a), std::move(b)); }
Expr operator>>(Expr a, Expr b) { return binary(BinaryOp::kShr, std::move(a), std::move(b)); }
Expr operator<(Expr a, Expr b) { return binary(BinaryOp::kLt, std::move(a), std::move(b)); }
Expr operator<=(Expr a, Expr b) { return binary(BinaryOp::kLe, std::move(a), std::move(b)); }
Expr operator>(Expr a, Expr b) { return binary(BinaryOp::kGt, std::move(a), std::move(b)); }
Expr operator>=(Expr a, Expr b) { return binary(BinaryOp::kGe, std::move(a), std::move(b)); }
Expr eq(Expr a, Expr b) { return binary(BinaryOp::kEq, std::move(a), std::move(b)); }
Expr ne(Expr a, Expr b) { return binary(BinaryOp::kNe, std::move(a), std::move(b)); }

static Expr logical(BinaryOp op, Expr a, Expr b) {
  MLC_TYPE_CHECK(a.dtype().is_bool(), "logical operator on {}", a.dtype().str());
  return binary(op, std::move(a), std::move(b));
}
Expr logical_and(Expr a, Expr b) { return logical(BinaryOp::kAnd, std::move(a), std::move(b)); }
Expr logical_or(Expr a, Expr b) { return logical(BinaryOp::kOr, std::move(a), std::move(b)); }
Expr logical_not(Expr a) {
  MLC_TYPE_CHECK(a.dtype().is_bool(), "logical_not of {}", a.dtype().str());
  return unary(UnaryOp::kNot, std::move(a));
}

const int64_t* as_const_int(const Expr& e) {
  const IntImm* i = as<IntImm>(e);
  return i ? &i->value : nullptr;
}
bool is_const(const Expr& e, int64_t value) {
  const int64_t* v = as_const_int(e);
  return v && *v == value;
}

}  // namespace mlc::ir
