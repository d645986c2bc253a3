// Addresses, loads and stores: which lanes are neighbours, and how well the first is aligned.
#include <bit>

#include "codegen/llvm/func_emitter.h"
#include "ir/text.h"

namespace mlc::codegen {

using ::llvm::Align;
using ::llvm::BasicBlock;
using ::llvm::Value;

// index == base + lane * stride with a constant stride?
std::optional<FuncEmitter::LaneForm> FuncEmitter::lane_form(const ir::Expr& index) const {
  if (index.dtype().lanes == 1) return LaneForm{index, 0};
  if (const auto* r = ir::as<ir::Ramp>(index)) {
    if (const int64_t* stride = ir::as_const_int(r->stride)) return LaneForm{r->base, *stride};
    return std::nullopt;
  }
  if (const auto* b = ir::as<ir::Broadcast>(index)) return LaneForm{b->a, 0};
  if (const auto* v = ir::as<ir::VarRef>(index)) {
    auto it = lets_.find(v->var.get());
    return it == lets_.end() ? std::nullopt : lane_form(it->second);
  }
  const auto* op = ir::as<ir::Binary>(index);
  if (!op) return std::nullopt;
  const bool linear = op->op == ir::BinaryOp::kAdd || op->op == ir::BinaryOp::kSub || op->op == ir::BinaryOp::kMul;
  if (!linear) return std::nullopt;
  const auto a = lane_form(op->a), b = lane_form(op->b);
  if (!a || !b) return std::nullopt;
  if (op->op == ir::BinaryOp::kAdd) return LaneForm{a->base + b->base, a->stride + b->stride};
  if (op->op == ir::BinaryOp::kSub) return LaneForm{a->base - b->base, a->stride - b->stride};
  const int64_t* ca = ir::as_const_int(a->base);
  const int64_t* cb = ir::as_const_int(b->base);
  if (b->stride == 0 && cb) return LaneForm{a->base * b->base, a->stride * *cb};
  if (a->stride == 0 && ca) return LaneForm{a->base * b->base, b->stride * *ca};
  return std::nullopt;
}

// The largest k <= 12 such that 2^k surely divides e.
int FuncEmitter::factor_log2(const ir::Expr& e, int depth) const {
  constexpr int kMost = 12;
  if (depth > 32) return 0;
  if (const int64_t* c = ir::as_const_int(e)) {
    return *c == 0 ? kMost : std::min(kMost, std::countr_zero(static_cast<uint64_t>(*c)));
  }
  if (const auto* v = ir::as<ir::VarRef>(e)) {
    auto it = lets_.find(v->var.get());
    return it == lets_.end() ? 0 : factor_log2(it->second, depth + 1);
  }
  const auto* op = ir::as<ir::Binary>(e);
  if (!op) return 0;
  const int a = factor_log2(op->a, depth + 1), b = factor_log2(op->b, depth + 1);
  switch (op->op) {
    case ir::BinaryOp::kAdd:
    case ir::BinaryOp::kSub:
    case ir::BinaryOp::kMin:
    case ir::BinaryOp::kMax:
      return std::min(a, b);
    case ir::BinaryOp::kMul:
      return std::min(kMost, a + b);
    case ir::BinaryOp::kFloorMod:
      return std::min(a, b);
    case ir::BinaryOp::kAnd:
      return std::max(a, b);
    case ir::BinaryOp::kShl: {
      const int64_t* count = ir::as_const_int(op->b);
      return count && *count >= 0 && *count < 64 ? static_cast<int>(std::min<int64_t>(kMost, a + *count)) : 0;
    }
    default:
      return 0;
  }
}

FuncEmitter::Access FuncEmitter::access(const ir::Buffer& b, const std::vector<ir::Expr>& indices, int lanes) {
  const BufferInfo buffer = info(b);
  MLC_CHECK(indices.size() == buffer.strides.size(), "kernel {}: {} has rank {}, accessed with {} indices", name_,
            b->name, buffer.strides.size(), indices.size());
  Access result;
  result.lanes = lanes;
  std::vector<LaneForm> forms;
  for (size_t d = 0; d < indices.size(); ++d) {
    auto form = lane_form(indices[d]);
    const auto* stride = ::llvm::dyn_cast<::llvm::ConstantInt>(buffer.strides[d]);
    if (!form || (form->stride != 0 && !stride)) break;
    result.lane_stride += form->stride == 0 ? 0 : form->stride * stride->getSExtValue();
    forms.push_back(*form);
  }
  if (forms.size() < indices.size()) {  // some index is no ramp: all lanes' offsets as a vector
    Value* sum = splat(i64(0), lanes);
    for (size_t d = 0; d < indices.size(); ++d) {
      Value* index = splat(expr(indices[d]), lanes);
      sum = builder_.CreateAdd(sum, builder_.CreateMul(index, splat(buffer.strides[d], lanes)));
    }
    result.offsets = sum;
    result.alignment = b->dtype.element_bytes();
    return result;
  }
  result.base = i64(0);
  int factor = 12;
  for (size_t d = 0; d < indices.size(); ++d) {
    result.base = builder_.CreateAdd(result.base, builder_.CreateMul(expr(forms[d].base), buffer.strides[d]));
    int stride_factor = 0;
    if (const auto* c = ::llvm::dyn_cast<::llvm::ConstantInt>(buffer.strides[d])) {
      stride_factor = std::min(12, std::countr_zero(static_cast<uint64_t>(c->getSExtValue())));
    }
    factor = std::min(factor, factor_log2(forms[d].base) + stride_factor);
  }
  result.alignment = std::min(buffer.alignment, b->dtype.element_bytes() << factor);
  return result;
}

Value* FuncEmitter::address(const ir::Buffer& b, Value* offset, bool in_bounds) {
  return builder_.CreateGEP(memory_type(b->dtype), info(b).pointer, offset, "",
                            in_bounds ? ::llvm::GEPNoWrapFlags::inBounds() : ::llvm::GEPNoWrapFlags::none());
}

Value* FuncEmitter::lane_pointers(const ir::Buffer& b, const Access& a) {
  Value* offsets = a.offsets;
  if (!offsets) {
    std::vector<::llvm::Constant*> steps;
    for (int i = 0; i < a.lanes; ++i) steps.push_back(builder_.getInt64(static_cast<uint64_t>(i * a.lane_stride)));
    offsets = builder_.CreateAdd(splat(a.base, a.lanes), ::llvm::ConstantVector::get(steps));
  }
  return builder_.CreateGEP(memory_type(b->dtype), info(b).pointer, offsets);
}

Value* FuncEmitter::emit_guarded_scalar_load(const ir::Buffer& b, const Access& a, Value* predicate) {
  auto* type = memory_type(b->dtype);
  BasicBlock* before = builder_.GetInsertBlock();
  BasicBlock* read = new_block("read");
  BasicBlock* after = new_block("after_read");
  Value* pointer = address(b, a.base, false);
  builder_.CreateCondBr(predicate, read, after);
  builder_.SetInsertPoint(read);
  Value* loaded = builder_.CreateAlignedLoad(type, pointer, Align(static_cast<uint64_t>(a.alignment)));
  builder_.CreateBr(after);
  builder_.SetInsertPoint(after);
  auto* phi = builder_.CreatePHI(type, 2);
  phi->addIncoming(loaded, read);
  phi->addIncoming(::llvm::Constant::getNullValue(type), before);
  return phi;
}

Value* FuncEmitter::emit_load(const ir::Expr& e, const ir::Load& node) {
  const int lanes = e.dtype().lanes;
  const ir::Buffer& b = node.buffer;
  const Access a = access(b, node.indices, lanes);
  const Align align(static_cast<uint64_t>(a.alignment));
  Value* predicate = node.predicate ? expr(node.predicate) : nullptr;
  auto* type = memory_type(e.dtype());
  if (lanes == 1) {
    if (predicate) return from_memory(emit_guarded_scalar_load(b, a, predicate), e.dtype());
    return from_memory(builder_.CreateAlignedLoad(type, address(b, a.base, true), align), e.dtype());
  }
  Value* mask = predicate ? splat(predicate, lanes) : nullptr;
  Value* zero = ::llvm::Constant::getNullValue(type);
  Value* loaded = nullptr;
  if (a.base && a.lane_stride == 1) {
    loaded = mask ? static_cast<Value*>(builder_.CreateMaskedLoad(type, address(b, a.base, false), align, mask, zero))
                  : builder_.CreateAlignedLoad(type, address(b, a.base, true), align);
  } else if (a.base && a.lane_stride == 0) {  // one element for all lanes
    Value* any = mask ? builder_.CreateOrReduce(mask) : nullptr;
    Value* one = any ? emit_guarded_scalar_load(b, a, any)
                     : builder_.CreateAlignedLoad(memory_type(b->dtype), address(b, a.base, true), align);
    loaded = splat(one, lanes);
    if (mask) loaded = builder_.CreateSelect(mask, loaded, zero);
  } else if (a.base && a.lane_stride == -1 && !mask) {  // neighbours, backwards
    Value* first = address(b, builder_.CreateSub(a.base, i64(lanes - 1)), true);
    loaded = builder_.CreateVectorReverse(
        builder_.CreateAlignedLoad(type, first, Align(static_cast<uint64_t>(b->dtype.element_bytes()))));
  } else {
    if (!mask) mask = splat(builder_.getTrue(), lanes);
    loaded = builder_.CreateMaskedGather(type, lane_pointers(b, a),
                                         Align(static_cast<uint64_t>(b->dtype.element_bytes())), mask, zero);
  }
  return from_memory(loaded, e.dtype());
}

Value* FuncEmitter::emit_load_bits(const ir::Expr& e, const ir::LoadBits& node) {
  const Access a = access(node.buffer, node.indices, 1);
  MLC_CHECK(a.base, "kernel {}: load_bits needs scalar indices: {}", name_, ir::print(e));
  Value* pointer = address(node.buffer, a.base, true);
  Value* loaded =
      builder_.CreateAlignedLoad(memory_type(e.dtype()), pointer, Align(static_cast<uint64_t>(a.alignment)));
  return from_memory(loaded, e.dtype());
}

void FuncEmitter::emit_vector_store(const ir::Buffer& b, const Access& a, Value* value, Value* predicate) {
  const Align align(static_cast<uint64_t>(a.alignment));
  Value* mask = predicate ? splat(predicate, a.lanes) : nullptr;
  if (a.base && a.lane_stride == 1) {
    if (mask) {
      builder_.CreateMaskedStore(value, address(b, a.base, false), align, mask);
    } else {
      builder_.CreateAlignedStore(value, address(b, a.base, true), align);
    }
    return;
  }
  const Align element(static_cast<uint64_t>(b->dtype.element_bytes()));
  if (!mask) mask = splat(builder_.getTrue(), a.lanes);
  builder_.CreateMaskedScatter(value, lane_pointers(b, a), element, mask);
}

void FuncEmitter::emit_store(const ir::Store& node) {
  if (has_parallel_ && !in_parallel_) {
    fail(DType::i64(),
         fmt::format("a store to {} stands outside the parallel loop: every worker would run it", node.buffer->name));
    return;
  }
  int lanes = node.value.dtype().lanes;
  for (const auto& index : node.indices) lanes = std::max<int>(lanes, index.dtype().lanes);
  Value* value = expr(node.value);
  Value* predicate = node.predicate ? expr(node.predicate) : nullptr;
  value = splat(to_memory(value, node.value.dtype()), lanes);
  const Access a = access(node.buffer, node.indices, lanes);
  if (lanes > 1) {
    emit_vector_store(node.buffer, a, value, predicate);
    return;
  }
  BasicBlock* after = nullptr;
  Value* pointer = address(node.buffer, a.base, predicate == nullptr);
  if (predicate) {
    BasicBlock* write = new_block("write");
    after = new_block("after_write");
    builder_.CreateCondBr(predicate, write, after);
    builder_.SetInsertPoint(write);
  }
  builder_.CreateAlignedStore(value, pointer, Align(static_cast<uint64_t>(a.alignment)));
  if (predicate) {
    builder_.CreateBr(after);
    builder_.SetInsertPoint(after);
  }
}

}  // namespace mlc::codegen
