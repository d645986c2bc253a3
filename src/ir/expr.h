// Expressions of the tensor IR: immutable values, a closed list of kinds.
//
// What every node means (ir/interp.cc is the living definition; every backend is compared with it):
//  * Integers wrap modulo 2^bits (two's complement). Index arithmetic is i64. `a / b` (kFloorDiv) and `a % b`
//  (kFloorMod)
//    round towards minus infinity for signed types; division by zero and INT_MIN / -1 are errors that the interpreter
//    reports and the verifier cannot exclude. kDiv is for floats only.
//  * Shl and Shr take the count modulo bits; Shr is arithmetic for signed types and logical for unsigned ones.
//  * Floats follow IEEE 754 round to nearest even, with no contraction unless the IR says fma(). f16 and bf16
//  arithmetic
//    is done in f32 and rounded once per operation. Denormals may flush to zero. Min and Max: if one operand is NaN,
//    the other is returned (as fminf, fmaxf); the sign of zero is unspecified.
//  * Comparisons give bool (lanes kept), false when an operand is NaN, except Ne. kAnd/kOr on bool are logical and
//    evaluate both sides.
//  * Select evaluates both arms; a guarded load is a predicate or an If, never a Select.
//  * Cast float -> int truncates towards zero and saturates, NaN gives 0; int -> int wraps; int -> float and float ->
//    float round to nearest even; anything -> bool is `!= 0`.
//  * Reinterpret keeps the bytes (little endian) and needs equal total size; lanes may change (u8x4 -> u32).
//  * Vector operations work lane by lane. Operands of a binary node have the same dtype, lanes included: use Broadcast.
//  * Load reads buffer[indices]. If one index is a vector the result has its lanes (a Ramp of stride 1 is a contiguous
//    vector load, anything else a gather). With a predicate, lanes whose predicate is false are not read and give zero.
//  * LoadBits reads dtype.bytes() bytes, starting at scalar element buffer[indices], as one value of another type: 4
//    i8 as one i32 lane (a memory broadcast operand when wrapped in Broadcast), 64 u8 as u32x16.
//  * VectorReduce folds the lanes of a vector, lane 0 first, into a scalar.
//  * Call names a pure intrinsic: a math function or a hardware instruction (ir/intrinsics.h).
//
//   Var i = var("i");  Expr e = load(A, {i}) * f32(2.0) + load(B, {ramp(i * 16, 1, 16)});  // dtypes must agree
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/dtype.h"

namespace mlc::ir {

struct ExprNode;
struct BufferNode;
struct VarNode;

// A variable: compared by identity, never by name. Created by var() only.
class Var {
 public:
  Var() = default;
  explicit Var(std::shared_ptr<const VarNode> node) : node_(std::move(node)) {}
  const std::string& name() const;
  DType dtype() const;
  const VarNode* get() const { return node_.get(); }
  explicit operator bool() const { return node_ != nullptr; }
  bool operator==(const Var& o) const { return node_ == o.node_; }

 private:
  std::shared_ptr<const VarNode> node_;
};
struct VarNode {
  std::string name;
  DType dtype;
};
}  // namespace mlc::ir
// The order of variables in maps and sets; do not let output depend on it. `i < j` is an expression, as with any Expr.
template <>
struct std::less<mlc::ir::Var> {
  bool operator()(const mlc::ir::Var& a, const mlc::ir::Var& b) const { return std::less<>()(a.get(), b.get()); }
};
namespace mlc::ir {

// An expression; copying shares the node. A default-constructed Expr is null ("absent").
class Expr {
 public:
  Expr() = default;
  explicit Expr(std::shared_ptr<const ExprNode> node) : node_(std::move(node)) {}
  Expr(const Var& v);   // NOLINT: a variable is an expression
  Expr(int value);      // NOLINT: an i64 constant, so that indices read naturally
  Expr(int64_t value);  // NOLINT
  const ExprNode& operator*() const { return *node_; }
  const ExprNode* operator->() const { return node_.get(); }
  const ExprNode* get() const { return node_.get(); }
  explicit operator bool() const { return node_ != nullptr; }
  bool same_as(const Expr& o) const { return node_ == o.node_; }
  DType dtype() const;

 private:
  std::shared_ptr<const ExprNode> node_;
};

// Where a buffer lives. kGlobal: device memory. kShared: one work-group. kLocal: one thread (registers or stack).
enum class Scope { kGlobal, kShared, kLocal };

// A dense row-major array: identity, element type, shape (constants or i64 size variables), scope.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::shared_ptr<const BufferNode> node) : node_(std::move(node)) {}
  const BufferNode& operator*() const { return *node_; }
  const BufferNode* operator->() const { return node_.get(); }
  const BufferNode* get() const { return node_.get(); }
  explicit operator bool() const { return node_ != nullptr; }
  bool operator==(const Buffer& o) const { return node_ == o.node_; }
  bool operator<(const Buffer& o) const { return node_ < o.node_; }

 private:
  std::shared_ptr<const BufferNode> node_;
};
struct BufferNode {
  std::string name;
  DType dtype;              // scalar
  std::vector<Expr> shape;  // i64
  Scope scope = Scope::kGlobal;
  int64_t alignment_bytes = 64;  // of the first element
};

enum class BinaryOp {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDiv,
  kFloorMod,
  kMin,
  kMax,
  kAnd,
  kOr,
  kXor,
  kShl,
  kShr,  // bitwise on integers, logical on bool
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,  // -> bool
};
enum class UnaryOp { kNot, kNeg };  // kNot: logical on bool, bitwise on integers
enum class ReduceOp { kAdd, kMin, kMax };

struct IntImm {
  int64_t value;
};  // any integer dtype or bool; the value as the type holds it (u64: bit pattern)
struct FloatImm {
  double value;
};  // any float dtype, already rounded to it
struct VarRef {
  Var var;
};
struct Unary {
  UnaryOp op;
  Expr a;
};
struct Binary {
  BinaryOp op;
  Expr a, b;
};
struct Cast {
  Expr a;
};  // to the node's dtype
struct Reinterpret {
  Expr a;
};  // to the node's dtype
struct Select {
  Expr cond, if_true, if_false;
};
struct Load {
  Buffer buffer;
  std::vector<Expr> indices;
  Expr predicate;
};  // predicate may be null
struct LoadBits {
  Buffer buffer;
  std::vector<Expr> indices;
};
struct Ramp {
  Expr base, stride;
};  // lanes in the node's dtype: base, base + stride, ...
struct Broadcast {
  Expr a;
};
struct Shuffle {
  std::vector<Expr> vectors;
  std::vector<int> indices;
};  // picks lanes of the concatenation
struct VectorReduce {
  ReduceOp op;
  Expr a;
};
struct Call {
  std::string intrinsic;
  std::vector<Expr> args;
};

struct ExprNode {
  DType dtype;
  std::variant<IntImm, FloatImm, VarRef, Unary, Binary, Cast, Reinterpret, Select, Load, LoadBits, Ramp, Broadcast,
               Shuffle, VectorReduce, Call>
      kind;
};

// Exhaustive match: match(e, [](const IntImm& x) {...}, ...); a missing kind is a compile error.
template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;
template <typename... Fs>
decltype(auto) match(const Expr& e, Fs&&... fs) {
  return std::visit(Overloaded{std::forward<Fs>(fs)...}, e->kind);
}
// The node as kind T, or null.
template <typename T>
const T* as(const Expr& e) {
  return e ? std::get_if<T>(&e->kind) : nullptr;
}

// ---- Builders. They check dtypes (MLC_CHECK: a mismatch is our bug) and fold nothing.
Var var(std::string name, DType dtype = DType::i64());
Buffer buffer(std::string name, DType dtype, std::vector<Expr> shape, Scope scope = Scope::kGlobal);
Expr imm(DType dtype, int64_t value);  // lanes > 1: a Broadcast
Expr fimm(DType dtype, double value);  // lanes > 1: a Broadcast
inline Expr f32(double v) { return fimm(DType::f32(), v); }
inline Expr i32(int64_t v) { return imm(DType::i32(), v); }
inline Expr i64(int64_t v) { return imm(DType::i64(), v); }
inline Expr u32(int64_t v) { return imm(DType::u32(), v); }
Expr zero(DType dtype);
Expr unary(UnaryOp op, Expr a);
Expr binary(BinaryOp op, Expr a, Expr b);
Expr cast(DType dtype, Expr a);  // returns `a` itself if it has that dtype
Expr reinterpret(DType dtype, Expr a);
Expr select(Expr cond, Expr if_true, Expr if_false);
Expr load(const Buffer& buffer, std::vector<Expr> indices, Expr predicate = {});
Expr load_bits(DType dtype, const Buffer& buffer, std::vector<Expr> indices);
Expr ramp(Expr base, Expr stride, int lanes);
Expr broadcast(Expr a, int lanes);
Expr shuffle(std::vector<Expr> vectors, std::vector<int> indices);
Expr vector_reduce(ReduceOp op, Expr a);
Expr call(DType dtype, std::string intrinsic, std::vector<Expr> args);
Expr exp(Expr a);
Expr sqrt(Expr a);
Expr rsqrt(Expr a);
Expr fma(Expr a, Expr b, Expr c);  // a * b + c, rounded once
Expr min(Expr a, Expr b);
Expr max(Expr a, Expr b);
Expr floordiv(Expr a, Expr b);
Expr floormod(Expr a, Expr b);
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);  // floats only (kDiv); integers: floordiv
Expr operator-(Expr a);
Expr operator&(Expr a, Expr b);
Expr operator|(Expr a, Expr b);
Expr operator^(Expr a, Expr b);
Expr operator<<(Expr a, Expr b);
Expr operator>>(Expr a, Expr b);
Expr operator<(Expr a, Expr b);
Expr operator<=(Expr a, Expr b);
Expr operator>(Expr a, Expr b);
Expr operator>=(Expr a, Expr b);
Expr eq(Expr a, Expr b);
Expr ne(Expr a, Expr b);
Expr logical_and(Expr a, Expr b);
Expr logical_or(Expr a, Expr b);
Expr logical_not(Expr a);

const int64_t* as_const_int(const Expr& e);   // the value of an IntImm, else null
bool is_const(const Expr& e, int64_t value);  // an IntImm of that value
// The value as an integer type holds it: wrapped modulo 2^bits, sign- or zero-extended; bool: 0 or 1.
int64_t wrap_int(DType dtype, int64_t value);
// The value rounded once (to nearest even) to a float type; exact in double for all of them.
double round_float(DType dtype, double value);

}  // namespace mlc::ir
