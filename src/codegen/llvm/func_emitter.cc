#include "codegen/llvm/func_emitter.h"

#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/MDBuilder.h>

#include "ir/loop_hints.h"
#include "ir/text.h"

namespace mlc::codegen {

using ::llvm::BasicBlock;
using ::llvm::Function;
using ::llvm::FunctionType;
using ::llvm::Type;
using ::llvm::Value;

FuncEmitter::FuncEmitter(::llvm::Module& module, const target::Target& target, const EmitOptions& options)
    : module_(module), context_(module.getContext()), target_(target), options_(options), builder_(context_) {}

// ---- types and helpers

Type* FuncEmitter::register_type(DType t) const {
  Type* scalar = nullptr;
  if (t.is_bool()) {
    scalar = Type::getInt1Ty(context_);
  } else if (t.is_float() && t.bits == 32) {
    scalar = Type::getFloatTy(context_);
  } else if (t.is_float() && t.bits == 64) {
    scalar = Type::getDoubleTy(context_);
  } else {
    scalar = Type::getIntNTy(context_, t.bits);
  }
  return t.lanes == 1 ? scalar : ::llvm::FixedVectorType::get(scalar, t.lanes);
}

Type* FuncEmitter::memory_type(DType t) const {
  return register_type(t.is_bool() ? DType::u8().with_lanes(t.lanes) : t);
}

Value* FuncEmitter::to_memory(Value* v, DType t) { return t.is_bool() ? builder_.CreateZExt(v, memory_type(t)) : v; }

Value* FuncEmitter::from_memory(Value* v, DType t) {
  return t.is_bool() ? builder_.CreateICmpNE(v, ::llvm::Constant::getNullValue(v->getType())) : v;
}

Value* FuncEmitter::splat(Value* v, int lanes) {
  if (lanes == 1 || v->getType()->isVectorTy()) return v;
  return builder_.CreateVectorSplat(static_cast<unsigned>(lanes), v);
}

BasicBlock* FuncEmitter::new_block(const char* name) { return BasicBlock::Create(context_, name, function_); }

Value* FuncEmitter::fail(DType t, std::string message) {
  if (!error_) error_ = error(ErrorCode::kUnsupported, "kernel {}: {}", name_, message);
  return ::llvm::UndefValue::get(register_type(t));
}

// ---- the function

void FuncEmitter::set_attributes(Function* fn) {
  fn->addFnAttr(::llvm::Attribute::NoUnwind);
  fn->addFnAttr(::llvm::Attribute::WillReturn);
  fn->addFnAttr(::llvm::Attribute::MustProgress);
  fn->addFnAttr("no-builtins");
  fn->addFnAttr("target-cpu", target_.cpu);
  std::string features;
  for (const auto& f : target_.features) features += (features.empty() ? "+" : ",+") + f;
  for (const auto& f : target_.disabled) features += (features.empty() ? "-" : ",-") + f;
  if (!features.empty()) fn->addFnAttr("target-features", features);
  if (target_.has("avx512f")) fn->addFnAttr("prefer-vector-width", "512");
}

Result<void> FuncEmitter::check_shape_of_kernel(const ir::PrimFunc& f) {
  name_ = f.name;
  std::string problem;
  int parallel = 0;
  std::function<void(const ir::Stmt&, bool)> walk = [&](const ir::Stmt& s, bool in_parallel) {
    if (!s || !problem.empty()) return;
    if (const auto* loop = ir::as<ir::For>(s)) {
      const bool outermost = loop->kind == ir::ForKind::kParallel && !in_parallel;
      parallel += outermost ? 1 : 0;
      walk(loop->body, in_parallel || outermost);
      if (outermost || in_parallel) return;
      // A serial loop outside: a parallel loop in it would need a barrier per iteration.
      ir::for_each_stmt(loop->body, [&](const ir::Stmt& inner) {
        const auto* l = ir::as<ir::For>(inner);
        if (l && l->kind == ir::ForKind::kParallel) {
          problem = fmt::format(
              "the parallel loop {} stands inside the serial loop {}; workers cannot meet between its "
              "iterations: split the function, or make the outer loop parallel",
              l->var.name(), loop->var.name());
        }
      });
      return;
    }
    if (const auto* block = ir::as<ir::Block>(s)) problem = fmt::format("block {} was not lowered", block->name);
    if (const auto* q = ir::as<ir::Seq>(s)) {
      for (const auto& t : q->stmts) walk(t, in_parallel);
    } else if (const auto* i = ir::as<ir::If>(s)) {
      walk(i->then_case, in_parallel);
      walk(i->else_case, in_parallel);
    } else if (const auto* a = ir::as<ir::Allocate>(s)) {
      walk(a->body, in_parallel);
    } else if (const auto* l = ir::as<ir::Let>(s)) {
      walk(l->body, in_parallel);
    }
  };
  walk(f.body, false);
  if (problem.empty() && parallel > 1) {
    problem =
        fmt::format("{} parallel loops follow each other; a kernel has at most one: split the function", parallel);
  }
  if (!problem.empty()) return error(ErrorCode::kUnsupported, "kernel {}: {}", f.name, problem);
  has_parallel_ = parallel == 1;
  return {};
}

Result<void> FuncEmitter::emit(const ir::PrimFunc& f) {
  MLC_TRY_VOID(check_shape_of_kernel(f));
  Function* body = emit_body(f);
  if (error_) return *error_;
  emit_wrapper(f, body);
  return {};
}

Function* FuncEmitter::emit_body(const ir::PrimFunc& f) {
  std::vector<Type*> types(f.buffers.size(), builder_.getPtrTy());
  types.resize(f.buffers.size() + f.sizes.size() + 2, builder_.getInt64Ty());
  function_ = Function::Create(FunctionType::get(builder_.getVoidTy(), types, false), Function::InternalLinkage,
                               f.name + ".body", module_);
  set_attributes(function_);
  // Kept apart from the wrapper: inlined, LLVM would know less about what the buffers do not overlap with.
  function_->addFnAttr(::llvm::Attribute::NoInline);
  entry_ = new_block("entry");
  builder_.SetInsertPoint(entry_);
  auto attr = f.attrs.find("may_alias");
  const bool may_alias = attr != f.attrs.end() && attr->second == ir::AnnotationValue(int64_t{1});
  auto arg = function_->arg_begin();
  std::vector<Value*> pointers;
  for (const auto& b : f.buffers) {
    arg->setName(b->name);
    if (!may_alias) arg->addAttr(::llvm::Attribute::NoAlias);
    arg->addAttr(::llvm::Attribute::NoUndef);
    arg->addAttr(
        ::llvm::Attribute::getWithAlignment(context_, ::llvm::Align(static_cast<uint64_t>(b->alignment_bytes))));
    pointers.push_back(&*arg++);
  }
  for (const auto& v : f.sizes) {
    arg->setName(v.name());
    vars_[v.get()] = &*arg++;
  }
  worker_ = &*arg++;
  num_workers_ = &*arg++;
  // Code starts in a block of its own, so that allocas can be added to the entry.
  BasicBlock* start = new_block("start");
  builder_.SetInsertPoint(start);
  for (size_t i = 0; i < f.buffers.size(); ++i) bind_buffer(f.buffers[i], pointers[i]);
  stmt(f.body);
  builder_.CreateRetVoid();
  builder_.SetInsertPoint(entry_);
  builder_.CreateBr(start);
  return function_;
}

// The exported function: picks the arguments out of the two arrays and calls the body.
void FuncEmitter::emit_wrapper(const ir::PrimFunc& f, Function* body) {
  auto* i32 = builder_.getInt32Ty();
  auto* ptr = builder_.getPtrTy();
  function_ = Function::Create(FunctionType::get(builder_.getVoidTy(), {ptr, ptr, i32, i32}, false),
                               Function::ExternalLinkage, f.name, module_);
  set_attributes(function_);
  function_->setDSOLocal(true);
  Value* worker = function_->getArg(2);
  builder_.SetInsertPoint(new_block("entry"));
  if (!has_parallel_) {
    BasicBlock* run = new_block("run");
    BasicBlock* idle = new_block("idle");
    builder_.CreateCondBr(builder_.CreateICmpEQ(worker, builder_.getInt32(0)), run, idle);
    builder_.SetInsertPoint(idle);
    builder_.CreateRetVoid();
    builder_.SetInsertPoint(run);
  }
  std::vector<Value*> args;
  for (size_t i = 0; i < f.buffers.size(); ++i) {
    args.push_back(builder_.CreateLoad(ptr, builder_.CreateConstGEP1_64(ptr, function_->getArg(0), i)));
  }
  for (size_t i = 0; i < f.sizes.size(); ++i) {
    auto* type = builder_.getInt64Ty();
    args.push_back(builder_.CreateLoad(type, builder_.CreateConstGEP1_64(type, function_->getArg(1), i)));
  }
  args.push_back(builder_.CreateSExt(worker, builder_.getInt64Ty()));
  args.push_back(builder_.CreateSExt(function_->getArg(3), builder_.getInt64Ty()));
  builder_.CreateCall(body, args);
  builder_.CreateRetVoid();
}

void FuncEmitter::bind_buffer(const ir::Buffer& b, Value* pointer) {
  BufferInfo info;
  info.pointer = pointer;
  info.alignment = b->alignment_bytes;
  info.strides.resize(b->shape.size());
  Value* stride = i64(1);
  for (size_t d = b->shape.size(); d-- > 0;) {
    info.strides[d] = stride;
    if (d > 0) stride = builder_.CreateMul(stride, top(b->shape[d]));
  }
  buffers_[b.get()] = std::move(info);
}

const FuncEmitter::BufferInfo& FuncEmitter::info(const ir::Buffer& b) const {
  auto it = buffers_.find(b.get());
  MLC_CHECK(it != buffers_.end(), "kernel {}: buffer {} is used before it is defined", name_, b->name);
  return it->second;
}

// ---- statements

void FuncEmitter::stmt(const ir::Stmt& s) {
  if (!s || error_) return;
  memo_.clear();
  ir::match(
      s, [&](const ir::For& n) { emit_for(n); }, [&](const ir::Store& n) { emit_store(n); },
      [&](const ir::If& n) { emit_if(n); },
      [&](const ir::Seq& n) {
        for (const auto& t : n.stmts) stmt(t);
      },
      [&](const ir::Allocate& n) { emit_allocate(n); }, [&](const ir::Let& n) { emit_let(n); },
      [&](const ir::Block& n) { fail(DType::i64(), fmt::format("block {} was not lowered", n.name)); },
      [&](const ir::Evaluate& n) { top(n.value); },
      [&](const ir::Assume& n) {
        if (n.cond.dtype().lanes == 1) builder_.CreateAssumption(top(n.cond));
      },
      [&](const ir::Prefetch& n) { emit_prefetch(n); },
      // One thread is its own group: memory is ordered for it already.
      [&](const ir::Barrier&) {});
}

void FuncEmitter::emit_for(const ir::For& node) {
  if (node.kind == ir::ForKind::kThread) {
    fail(DType::i64(), fmt::format("loop {} is bound to the GPU axis {}; a CPU has parallel and serial loops",
                                   node.var.name(), node.thread));
    return;
  }
  Value* min = top(node.min);
  Value* extent = top(node.extent);
  if (node.kind == ir::ForKind::kParallel && !in_parallel_) {
    Value* begin = builder_.CreateSDiv(builder_.CreateMul(extent, worker_), num_workers_);
    Value* end = builder_.CreateSDiv(builder_.CreateMul(extent, builder_.CreateAdd(worker_, i64(1))), num_workers_);
    in_parallel_ = true;
    emit_loop(node, builder_.CreateAdd(min, begin), builder_.CreateAdd(min, end), true);
    in_parallel_ = false;
    return;
  }
  const int64_t* count = ir::as_const_int(node.extent);
  if (count && *count <= 0) return;
  emit_loop(node, min, builder_.CreateAdd(min, extent), count == nullptr);
}

void FuncEmitter::emit_loop(const ir::For& node, Value* begin, Value* end, bool may_be_empty) {
  BasicBlock* before = builder_.GetInsertBlock();
  BasicBlock* body = new_block("loop");
  BasicBlock* after = new_block("done");
  if (may_be_empty) {
    builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), body, after);
  } else {
    builder_.CreateBr(body);
  }
  builder_.SetInsertPoint(body);
  auto* index = builder_.CreatePHI(builder_.getInt64Ty(), 2, node.var.name());
  index->addIncoming(begin, before);
  vars_[node.var.get()] = index;
  stmt(node.body);
  Value* next = builder_.CreateAdd(index, i64(1), "", false, true);  // below end: no overflow
  auto* branch = builder_.CreateCondBr(builder_.CreateICmpSLT(next, end), body, after);
  index->addIncoming(next, builder_.GetInsertBlock());
  auto* progress = ::llvm::MDNode::get(context_, {::llvm::MDString::get(context_, "llvm.loop.mustprogress")});
  std::vector<::llvm::Metadata*> properties{nullptr, progress};
  if (node.annotations.count(ir::kKeepLoopKey) > 0) {
    properties.push_back(::llvm::MDNode::get(context_, {::llvm::MDString::get(context_, "llvm.loop.unroll.disable")}));
  }
  auto* id = ::llvm::MDNode::getDistinct(context_, properties);
  id->replaceOperandWith(0, id);
  branch->setMetadata(::llvm::LLVMContext::MD_loop, id);
  builder_.SetInsertPoint(after);
}

void FuncEmitter::emit_if(const ir::If& node) {
  Value* cond = top(node.cond);
  if (node.cond.dtype().lanes != 1) {
    fail(DType::i64(), fmt::format("an if over a vector condition was not lowered: {}", ir::print(node.cond)));
    return;
  }
  BasicBlock* then_block = new_block("then");
  BasicBlock* else_block = node.else_case ? new_block("else") : nullptr;
  BasicBlock* after = new_block("endif");
  builder_.CreateCondBr(cond, then_block, else_block ? else_block : after);
  builder_.SetInsertPoint(then_block);
  stmt(node.then_case);
  builder_.CreateBr(after);
  if (else_block) {
    builder_.SetInsertPoint(else_block);
    stmt(node.else_case);
    builder_.CreateBr(after);
  }
  builder_.SetInsertPoint(after);
}

void FuncEmitter::emit_allocate(const ir::Allocate& node) {
  const ir::Buffer& b = node.buffer;
  int64_t elements = 1;
  for (const auto& dim : b->shape) {
    const int64_t* n = ir::as_const_int(dim);
    if (!n) {
      fail(DType::i64(), fmt::format("the size of local buffer {} depends on {}; kernels have constant local buffers, "
                                     "larger memory is planned by the graph",
                                     b->name, ir::print(dim)));
      return;
    }
    elements *= *n;
  }
  const int64_t bytes = std::max<int64_t>(elements, 1) * b->dtype.element_bytes();
  stack_bytes_ += bytes;
  if (stack_bytes_ > options_.max_stack_bytes) {
    fail(DType::i64(), fmt::format("local buffer {} of {} bytes does not fit on the stack ({} bytes in all, {} used)",
                                   b->name, bytes, options_.max_stack_bytes, stack_bytes_ - bytes));
    return;
  }
  auto* type = ::llvm::ArrayType::get(memory_type(b->dtype), static_cast<uint64_t>(std::max<int64_t>(elements, 1)));
  ::llvm::IRBuilder<> at_entry(entry_, entry_->end());
  auto* slot = at_entry.CreateAlloca(type, nullptr, b->name);
  slot->setAlignment(::llvm::Align(static_cast<uint64_t>(b->alignment_bytes)));
  bind_buffer(b, slot);
  auto* size = builder_.getInt64(module_.getDataLayout().getTypeAllocSize(type));
  builder_.CreateLifetimeStart(slot, size);
  stmt(node.body);
  builder_.CreateLifetimeEnd(slot, size);
  stack_bytes_ -= bytes;
}

void FuncEmitter::emit_let(const ir::Let& node) {
  Value* value = top(node.value);
  if (!value->hasName() && !::llvm::isa<::llvm::Constant>(value)) value->setName(node.var.name());
  vars_[node.var.get()] = value;
  lets_[node.var.get()] = node.value;
  stmt(node.body);
}

void FuncEmitter::emit_prefetch(const ir::Prefetch& node) {
  Access a = access(node.buffer, node.indices, 1);
  Value* pointer = address(node.buffer, a.base, false);
  auto* prefetch = ::llvm::Intrinsic::getDeclaration(&module_, ::llvm::Intrinsic::prefetch, {builder_.getPtrTy()});
  const int locality = std::clamp(node.locality, 0, 3);
  builder_.CreateCall(prefetch, {pointer, builder_.getInt32(0), builder_.getInt32(static_cast<uint32_t>(locality)),
                                 builder_.getInt32(1)});
}

}  // namespace mlc::codegen
