// Expressions. The meaning of each node stands at the top of ir/expr.h.
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/Intrinsics.h>

#include "codegen/llvm/func_emitter.h"
#include "ir/intrinsics.h"
#include "ir/text.h"

namespace mlc::codegen {

using ::llvm::Type;
using ::llvm::Value;
using ::llvm::Intrinsic::ID;
namespace intrinsic = ::llvm::Intrinsic;

Value* FuncEmitter::top(const ir::Expr& e) {
  memo_.clear();
  return expr(e);
}

Value* FuncEmitter::expr(const ir::Expr& e) {
  if (error_) return ::llvm::UndefValue::get(register_type(e.dtype()));
  if (auto it = memo_.find(e.get()); it != memo_.end()) return it->second.value;
  Value* v = emit_expr(e);
  memo_[e.get()] = {e, v};
  return v;
}

Value* FuncEmitter::emit_expr(const ir::Expr& e) {
  const DType t = e.dtype();
  return ir::match(
      e,
      [&](const ir::IntImm& n) -> Value* {
        return ::llvm::ConstantInt::get(register_type(t), static_cast<uint64_t>(n.value), t.is_int());
      },
      [&](const ir::FloatImm& n) -> Value* {
        if (t.bits == 16) {
          const auto f = static_cast<float>(n.value);
          return ::llvm::ConstantInt::get(register_type(t), t.is_bfloat() ? f32_to_bf16(f) : f32_to_f16(f));
        }
        return ::llvm::ConstantFP::get(register_type(t), n.value);
      },
      [&](const ir::VarRef& n) -> Value* {
        auto it = vars_.find(n.var.get());
        MLC_CHECK(it != vars_.end(), "kernel {}: variable {} is used before it is defined", name_, n.var.name());
        return it->second;
      },
      [&](const ir::Unary& n) -> Value* {
        Value* a = expr(n.a);
        if (n.op == ir::UnaryOp::kNot) return builder_.CreateNot(a);
        if (t.is_float() && t.bits == 16) return fail(t, "16-bit float arithmetic was not legalized: " + ir::print(e));
        return t.is_float() ? builder_.CreateFNeg(a) : builder_.CreateNeg(a);
      },
      [&](const ir::Binary& n) { return emit_binary(e, n); }, [&](const ir::Cast& n) { return emit_cast(t, n.a); },
      [&](const ir::Reinterpret& n) { return emit_reinterpret(t, n.a); },
      [&](const ir::Select& n) { return emit_select(n); }, [&](const ir::Load& n) { return emit_load(e, n); },
      [&](const ir::LoadBits& n) { return emit_load_bits(e, n); },
      [&](const ir::Ramp& n) -> Value* {
        std::vector<::llvm::Constant*> steps;
        for (int i = 0; i < t.lanes; ++i) {
          steps.push_back(::llvm::ConstantInt::get(register_type(t.scalar()), static_cast<uint64_t>(i)));
        }
        Value* stride = splat(expr(n.stride), t.lanes);
        return builder_.CreateAdd(splat(expr(n.base), t.lanes),
                                  builder_.CreateMul(stride, ::llvm::ConstantVector::get(steps)));
      },
      [&](const ir::Broadcast& n) { return splat(expr(n.a), t.lanes); },
      [&](const ir::Shuffle& n) { return emit_shuffle(n); }, [&](const ir::VectorReduce& n) { return emit_reduce(n); },
      [&](const ir::Call& n) { return emit_call(e, n); });
}

Value* FuncEmitter::emit_binary(const ir::Expr& e, const ir::Binary& n) {
  const DType t = n.a.dtype();
  Value* a = expr(n.a);
  Value* b = expr(n.b);
  if (!t.is_float()) return emit_int_binary(n.op, t, a, b, n.b);
  if (t.bits == 16) return fail(e.dtype(), "16-bit float arithmetic was not legalized: " + ir::print(e));
  return emit_float_binary(n.op, a, b);
}

// The operand that is no NaN, else the smaller or larger. On x86 as comparisons, which become one minps and a blend:
// the intrinsic, narrowed to half by LLVM where the operands were, ends in a call of fminf.
Value* FuncEmitter::emit_float_extremum(bool minimum, Value* a, Value* b) {
  if (!target_.is_x86_64()) return minimum ? builder_.CreateMinNum(a, b) : builder_.CreateMaxNum(a, b);
  Value* take_a = minimum ? builder_.CreateFCmpOLT(a, b) : builder_.CreateFCmpOGT(a, b);
  Value* ordered = builder_.CreateSelect(take_a, a, b);  // b if one is NaN
  return builder_.CreateSelect(builder_.CreateFCmpUNO(b, b), a, ordered);
}

Value* FuncEmitter::emit_float_binary(ir::BinaryOp op, Value* a, Value* b) {
  using Op = ir::BinaryOp;
  switch (op) {
    case Op::kAdd:
      return builder_.CreateFAdd(a, b);
    case Op::kSub:
      return builder_.CreateFSub(a, b);
    case Op::kMul:
      return builder_.CreateFMul(a, b);
    case Op::kDiv:
      return builder_.CreateFDiv(a, b);
    case Op::kMin:
    case Op::kMax:
      return emit_float_extremum(op == Op::kMin, a, b);
    case Op::kEq:
      return builder_.CreateFCmpOEQ(a, b);
    case Op::kNe:
      return builder_.CreateFCmpUNE(a, b);
    case Op::kLt:
      return builder_.CreateFCmpOLT(a, b);
    case Op::kLe:
      return builder_.CreateFCmpOLE(a, b);
    case Op::kGt:
      return builder_.CreateFCmpOGT(a, b);
    case Op::kGe:
      return builder_.CreateFCmpOGE(a, b);
    default:
      MLC_UNREACHABLE("binary operator {} on floats", static_cast<int>(op));
  }
}

Value* FuncEmitter::emit_int_binary(ir::BinaryOp op, DType t, Value* a, Value* b, const ir::Expr& divisor) {
  using Op = ir::BinaryOp;
  const bool sign = t.is_int();
  const auto count = [&] { return builder_.CreateAnd(b, ::llvm::ConstantInt::get(b->getType(), t.bits - 1u)); };
  switch (op) {
    case Op::kAdd:
      return builder_.CreateAdd(a, b);
    case Op::kSub:
      return builder_.CreateSub(a, b);
    case Op::kMul:
      return builder_.CreateMul(a, b);
    case Op::kFloorDiv:
      return emit_floor_division(true, t, a, b, divisor);
    case Op::kFloorMod:
      return emit_floor_division(false, t, a, b, divisor);
    case Op::kMin:
      return builder_.CreateBinaryIntrinsic(sign ? intrinsic::smin : intrinsic::umin, a, b);
    case Op::kMax:
      return builder_.CreateBinaryIntrinsic(sign ? intrinsic::smax : intrinsic::umax, a, b);
    case Op::kAnd:
      return builder_.CreateAnd(a, b);
    case Op::kOr:
      return builder_.CreateOr(a, b);
    case Op::kXor:
      return builder_.CreateXor(a, b);
    case Op::kShl:
      return builder_.CreateShl(a, count());
    case Op::kShr:
      return sign ? builder_.CreateAShr(a, count()) : builder_.CreateLShr(a, count());
    case Op::kEq:
      return builder_.CreateICmpEQ(a, b);
    case Op::kNe:
      return builder_.CreateICmpNE(a, b);
    case Op::kLt:
      return sign ? builder_.CreateICmpSLT(a, b) : builder_.CreateICmpULT(a, b);
    case Op::kLe:
      return sign ? builder_.CreateICmpSLE(a, b) : builder_.CreateICmpULE(a, b);
    case Op::kGt:
      return sign ? builder_.CreateICmpSGT(a, b) : builder_.CreateICmpUGT(a, b);
    case Op::kGe:
      return sign ? builder_.CreateICmpSGE(a, b) : builder_.CreateICmpUGE(a, b);
    case Op::kDiv:
      break;
  }
  MLC_UNREACHABLE("binary operator {} on integers", static_cast<int>(op));
}

// Rounding towards minus infinity: a shift or a mask for powers of two, else C's division with a correction.
Value* FuncEmitter::emit_floor_division(bool want_quotient, DType t, Value* a, Value* b, const ir::Expr& divisor) {
  if (!t.is_int()) return want_quotient ? builder_.CreateUDiv(a, b) : builder_.CreateURem(a, b);
  const ir::Broadcast* bc = ir::as<ir::Broadcast>(divisor);
  const int64_t* c = ir::as_const_int(bc ? bc->a : divisor);
  if (c && *c > 0 && (*c & (*c - 1)) == 0) {
    if (!want_quotient)
      return builder_.CreateAnd(a, ::llvm::ConstantInt::get(a->getType(), static_cast<uint64_t>(*c - 1)));
    const auto shift = static_cast<uint64_t>(__builtin_ctzll(static_cast<uint64_t>(*c)));
    return builder_.CreateAShr(a, ::llvm::ConstantInt::get(a->getType(), shift));
  }
  Value* remainder = builder_.CreateSRem(a, b);
  Value* zero = ::llvm::Constant::getNullValue(a->getType());
  Value* inexact = builder_.CreateICmpNE(remainder, zero);
  Value* signs_differ = builder_.CreateICmpSLT(builder_.CreateXor(remainder, b), zero);
  Value* correct = builder_.CreateAnd(inexact, signs_differ);
  if (!want_quotient) return builder_.CreateAdd(remainder, builder_.CreateSelect(correct, b, zero));
  return builder_.CreateSub(builder_.CreateSDiv(a, b), builder_.CreateZExt(correct, a->getType()));
}

Value* FuncEmitter::emit_cast(DType to, const ir::Expr& from) {
  const DType t = from.dtype();
  Value* a = expr(from);
  auto* type = register_type(to);
  const bool half = t.is_float() && t.bits == 16;
  if (half || (to.is_float() && to.bits == 16)) {
    // Only f16 <-> f32 in one instruction may be left.
    Type* h = builder_.getHalfTy();
    if (t.lanes > 1) h = ::llvm::FixedVectorType::get(h, t.lanes);
    const bool native = target_.has_f16_conversion() && !t.is_bfloat() && !to.is_bfloat();
    if (native && half && to.bits == 32 && to.is_float()) {
      // The fence keeps LLVM from narrowing what follows to half, whose minimum and maximum end in library calls.
      return builder_.CreateArithmeticFence(builder_.CreateFPExt(builder_.CreateBitCast(a, h), type), type);
    }
    if (native && t.is_float() && t.bits == 32) return builder_.CreateBitCast(builder_.CreateFPTrunc(a, h), type);
    return fail(to, fmt::format("the cast from {} to {} was not legalized", t.str(), to.str()));
  }
  if (to.is_bool()) {
    if (t.is_bool()) return a;
    if (t.is_float()) return builder_.CreateFCmpUNE(a, ::llvm::Constant::getNullValue(a->getType()));
    return builder_.CreateICmpNE(a, ::llvm::Constant::getNullValue(a->getType()));
  }
  if (t.is_float()) {
    if (to.is_float()) return builder_.CreateFPCast(a, type);
    const ID id = to.is_int() ? intrinsic::fptosi_sat : intrinsic::fptoui_sat;
    return builder_.CreateIntrinsic(id, {type, a->getType()}, {a});
  }
  if (to.is_float()) return t.is_int() ? builder_.CreateSIToFP(a, type) : builder_.CreateUIToFP(a, type);
  return builder_.CreateIntCast(a, type, t.is_int());
}

Value* FuncEmitter::emit_reinterpret(DType to, const ir::Expr& from) {
  Value* bits = builder_.CreateBitCast(to_memory(expr(from), from.dtype()), memory_type(to));
  return from_memory(bits, to);
}

Value* FuncEmitter::emit_select(const ir::Select& n) {
  Value* cond = expr(n.cond);
  Value* if_true = expr(n.if_true);
  Value* if_false = expr(n.if_false);
  return builder_.CreateSelect(cond, if_true, if_false);
}

Value* FuncEmitter::emit_shuffle(const ir::Shuffle& n) {
  const int lanes = static_cast<int>(n.indices.size());
  if (n.vectors.size() <= 2 && lanes > 1) {
    Value* a = expr(n.vectors[0]);
    Value* b = n.vectors.size() == 2 ? expr(n.vectors[1]) : nullptr;
    if (a->getType()->isVectorTy() && (!b || b->getType() == a->getType())) {
      return b ? builder_.CreateShuffleVector(a, b, n.indices) : builder_.CreateShuffleVector(a, n.indices);
    }
  }
  // Lane by lane; LLVM finds the shuffles.
  const auto lane = [&](int index) -> Value* {
    size_t v = 0;
    while (index >= n.vectors[v].dtype().lanes) index -= n.vectors[v++].dtype().lanes;
    Value* vector = expr(n.vectors[v]);
    if (!vector->getType()->isVectorTy()) return vector;
    return builder_.CreateExtractElement(vector, static_cast<uint64_t>(index));
  };
  if (lanes == 1) return lane(n.indices[0]);
  Value* result = ::llvm::PoisonValue::get(register_type(n.vectors[0].dtype().scalar().with_lanes(lanes)));
  for (int i = 0; i < lanes; ++i) {
    result = builder_.CreateInsertElement(result, lane(n.indices[static_cast<size_t>(i)]), static_cast<uint64_t>(i));
  }
  return result;
}

// By halves: the order does not matter to a minimum that ignores NaN.
Value* FuncEmitter::emit_extremum_reduce(bool minimum, Value* a) {
  auto lanes = static_cast<int>(::llvm::cast<::llvm::FixedVectorType>(a->getType())->getNumElements());
  while (lanes > 1 && lanes % 2 == 0) {
    lanes /= 2;
    std::vector<int> low, high;
    for (int i = 0; i < lanes; ++i) {
      low.push_back(i);
      high.push_back(i + lanes);
    }
    a = emit_float_extremum(minimum, builder_.CreateShuffleVector(a, low), builder_.CreateShuffleVector(a, high));
  }
  Value* result = builder_.CreateExtractElement(a, uint64_t{0});
  for (int i = 1; i < lanes; ++i) {
    result = emit_float_extremum(minimum, result, builder_.CreateExtractElement(a, static_cast<uint64_t>(i)));
  }
  return result;
}

Value* FuncEmitter::emit_reduce(const ir::VectorReduce& n) {
  const DType t = n.a.dtype();
  Value* a = expr(n.a);
  if (t.lanes == 1) return a;
  if (t.is_float() && t.bits == 16) return fail(t.scalar(), "a 16-bit float reduction was not legalized");
  switch (n.op) {
    case ir::ReduceOp::kAdd:
      // Strict: lane 0 first. -0.0 is the neutral element.
      if (t.is_float()) return builder_.CreateFAddReduce(::llvm::ConstantFP::get(register_type(t.scalar()), -0.0), a);
      return builder_.CreateAddReduce(a);
    case ir::ReduceOp::kMin:
      return t.is_float() ? emit_extremum_reduce(true, a) : builder_.CreateIntMinReduce(a, t.is_int());
    case ir::ReduceOp::kMax:
      return t.is_float() ? emit_extremum_reduce(false, a) : builder_.CreateIntMaxReduce(a, t.is_int());
  }
  MLC_UNREACHABLE("reduction {}", static_cast<int>(n.op));
}

Value* FuncEmitter::emit_call(const ir::Expr& e, const ir::Call& n) {
  const DType t = e.dtype();
  if (!ir::find_math(n.intrinsic)) return emit_instruction(e, n);
  if (n.intrinsic.rfind("dot4_", 0) == 0) return fail(t, n.intrinsic + " was not legalized (lower's legalize_dot)");
  if (t.is_float() && t.bits == 16) return fail(t, n.intrinsic + " on a 16-bit float was not legalized");
  std::vector<Value*> args;
  for (const auto& a : n.args) args.push_back(expr(a));
  if (n.intrinsic == "abs") {
    if (t.is_float()) return builder_.CreateUnaryIntrinsic(intrinsic::fabs, args[0]);
    if (t.is_uint()) return args[0];
    return builder_.CreateIntrinsic(intrinsic::abs, {args[0]->getType()}, {args[0], builder_.getFalse()});
  }
  if (n.intrinsic == "popcount") return builder_.CreateUnaryIntrinsic(intrinsic::ctpop, args[0]);
  if (n.intrinsic == "sqrt") return builder_.CreateUnaryIntrinsic(intrinsic::sqrt, args[0]);
  if (n.intrinsic == "rsqrt") {
    Value* root = builder_.CreateUnaryIntrinsic(intrinsic::sqrt, args[0]);
    return builder_.CreateFDiv(::llvm::ConstantFP::get(root->getType(), 1.0), root);
  }
  if (n.intrinsic == "floor") return builder_.CreateUnaryIntrinsic(intrinsic::floor, args[0]);
  if (n.intrinsic == "ceil") return builder_.CreateUnaryIntrinsic(intrinsic::ceil, args[0]);
  if (n.intrinsic == "round") return builder_.CreateUnaryIntrinsic(intrinsic::roundeven, args[0]);
  if (n.intrinsic == "fma") return builder_.CreateIntrinsic(intrinsic::fma, {args[0]->getType()}, args);
  return fail(t, fmt::format("{} on {} was not expanded (lower's expand_math), and kernels import no math library",
                             n.intrinsic, t.str()));
}

// A hardware instruction: the LLVM intrinsic that the table names, arguments as the bits that it wants.
Value* FuncEmitter::emit_instruction(const ir::Expr& e, const ir::Call& n) {
  const ir::HwInstruction* hw = ir::find_instruction(n.intrinsic);
  if (!hw) return fail(e.dtype(), fmt::format("unknown intrinsic {}", n.intrinsic));
  if (!ir::feature_satisfied(hw->feature, [&](std::string_view f) { return target_.has(f); })) {
    return fail(e.dtype(), fmt::format("the instruction {} needs {}, which the target {} does not have", n.intrinsic,
                                       hw->feature, target_.cpu));
  }
  std::vector<Value*> args;
  std::vector<Type*> types;
  for (const auto& a : n.args) {
    args.push_back(expr(a));
    types.push_back(args.back()->getType());
  }
  const ID id = ::llvm::Function::lookupIntrinsicID(hw->llvm);
  if (id == intrinsic::not_intrinsic) return fail(e.dtype(), fmt::format("LLVM has no intrinsic {}", hw->llvm));
  auto* result_type = register_type(e.dtype());
  ::llvm::Function* callee = nullptr;
  if (intrinsic::isOverloaded(id)) {  // the name says the types, and ours are the same
    auto* signature = ::llvm::FunctionType::get(result_type, types, false);
    callee = ::llvm::cast<::llvm::Function>(module_.getOrInsertFunction(hw->llvm, signature).getCallee());
  } else {
    callee = intrinsic::getDeclaration(&module_, id);
  }
  auto* signature = callee->getFunctionType();
  if (signature->getNumParams() != args.size()) {
    return fail(e.dtype(),
                fmt::format("{} takes {} arguments, given {}", hw->llvm, signature->getNumParams(), args.size()));
  }
  for (size_t i = 0; i < args.size(); ++i) {
    auto* want = signature->getParamType(static_cast<unsigned>(i));
    if (want != args[i]->getType()) args[i] = builder_.CreateBitCast(args[i], want);
  }
  Value* result = builder_.CreateCall(callee, args);
  return result->getType() == result_type ? result : builder_.CreateBitCast(result, result_type);
}

}  // namespace mlc::codegen
