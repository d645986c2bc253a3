// Internal to codegen/llvm: one PrimFunc to LLVM IR.
//
// Registers hold bool as i1, f16 and bf16 as their bits (i16; lower's legalize_dtypes leaves no arithmetic on them but
// f16 <-> f32 conversions that the target has), memory holds bool as i8. Expressions are memoized while one statement
// is emitted: an expression is a shared tree, and nothing writes memory in between.
//
//   func_emitter.cc    the function, its wrapper, statements
//   expr_emitter.cc    expressions
//   memory_emitter.cc  addresses, loads, stores
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <optional>
#include <string>
#include <unordered_map>

#include "codegen/llvm/emit.h"
#include "ir/visit.h"

namespace mlc::codegen {

class FuncEmitter {
 public:
  FuncEmitter(::llvm::Module& module, const target::Target& target, const EmitOptions& options);
  // Adds the kernel and the body function that it calls.
  Result<void> emit(const ir::PrimFunc& f);

 private:
  struct BufferInfo {
    ::llvm::Value* pointer = nullptr;
    std::vector<::llvm::Value*> strides;  // in elements, i64
    int64_t alignment = 64;
  };
  // An access: the element offset of lane 0, and how the other lanes follow.
  struct Access {
    ::llvm::Value* base = nullptr;     // i64; null if only `offsets` is known
    ::llvm::Value* offsets = nullptr;  // <lanes x i64> for gathers and scatters
    int64_t lane_stride = 0;
    int lanes = 1;
    int64_t alignment = 1;  // bytes, of lane 0
  };
  struct LaneForm {  // base + lane * stride
    ir::Expr base;
    int64_t stride;
  };

  // ---- func_emitter.cc
  Result<void> check_shape_of_kernel(const ir::PrimFunc& f);
  ::llvm::Function* emit_body(const ir::PrimFunc& f);
  void emit_wrapper(const ir::PrimFunc& f, ::llvm::Function* body);
  void set_attributes(::llvm::Function* fn);
  void bind_buffer(const ir::Buffer& b, ::llvm::Value* pointer);
  void stmt(const ir::Stmt& s);
  void emit_for(const ir::For& node);
  void emit_loop(const ir::For& node, ::llvm::Value* begin, ::llvm::Value* end, bool may_be_empty);
  void emit_if(const ir::If& node);
  void emit_allocate(const ir::Allocate& node);
  void emit_let(const ir::Let& node);
  void emit_prefetch(const ir::Prefetch& node);

  // ---- expr_emitter.cc
  ::llvm::Value* top(const ir::Expr& e);   // forgets memoized values first
  ::llvm::Value* expr(const ir::Expr& e);  // memoized
  ::llvm::Value* emit_expr(const ir::Expr& e);
  ::llvm::Value* emit_binary(const ir::Expr& e, const ir::Binary& node);
  ::llvm::Value* emit_float_binary(ir::BinaryOp op, ::llvm::Value* a, ::llvm::Value* b);
  ::llvm::Value* emit_float_extremum(bool minimum, ::llvm::Value* a, ::llvm::Value* b);
  ::llvm::Value* emit_int_binary(ir::BinaryOp op, DType t, ::llvm::Value* a, ::llvm::Value* b, const ir::Expr& divisor);
  ::llvm::Value* emit_floor_division(bool want_quotient, DType t, ::llvm::Value* a, ::llvm::Value* b,
                                     const ir::Expr& divisor);
  ::llvm::Value* emit_cast(DType to, const ir::Expr& a);
  ::llvm::Value* emit_reinterpret(DType to, const ir::Expr& a);
  ::llvm::Value* emit_select(const ir::Select& node);
  ::llvm::Value* emit_shuffle(const ir::Shuffle& node);
  ::llvm::Value* emit_extremum_reduce(bool minimum, ::llvm::Value* a);
  ::llvm::Value* emit_reduce(const ir::VectorReduce& node);
  ::llvm::Value* emit_call(const ir::Expr& e, const ir::Call& node);
  ::llvm::Value* emit_instruction(const ir::Expr& e, const ir::Call& node);

  // ---- memory_emitter.cc
  std::optional<LaneForm> lane_form(const ir::Expr& index) const;
  int factor_log2(const ir::Expr& e, int depth = 0) const;
  Access access(const ir::Buffer& b, const std::vector<ir::Expr>& indices, int lanes);
  ::llvm::Value* address(const ir::Buffer& b, ::llvm::Value* offset, bool in_bounds);
  ::llvm::Value* lane_pointers(const ir::Buffer& b, const Access& a);
  ::llvm::Value* emit_load(const ir::Expr& e, const ir::Load& node);
  ::llvm::Value* emit_guarded_scalar_load(const ir::Buffer& b, const Access& a, ::llvm::Value* predicate);
  ::llvm::Value* emit_load_bits(const ir::Expr& e, const ir::LoadBits& node);
  void emit_store(const ir::Store& node);
  void emit_vector_store(const ir::Buffer& b, const Access& a, ::llvm::Value* value, ::llvm::Value* predicate);
  const BufferInfo& info(const ir::Buffer& b) const;

  // ---- types and helpers
  ::llvm::Type* register_type(DType t) const;
  ::llvm::Type* memory_type(DType t) const;
  ::llvm::Value* to_memory(::llvm::Value* v, DType t);
  ::llvm::Value* from_memory(::llvm::Value* v, DType t);
  ::llvm::Value* splat(::llvm::Value* v, int lanes);
  ::llvm::Value* i64(int64_t v) { return builder_.getInt64(static_cast<uint64_t>(v)); }
  ::llvm::BasicBlock* new_block(const char* name);
  ::llvm::Value* fail(DType t, std::string message);  // records the first error, gives an undefined value

  ::llvm::Module& module_;
  ::llvm::LLVMContext& context_;
  const target::Target& target_;
  const EmitOptions& options_;
  ::llvm::IRBuilder<> builder_;
  ::llvm::Function* function_ = nullptr;
  ::llvm::BasicBlock* entry_ = nullptr;
  std::unordered_map<const ir::VarNode*, ::llvm::Value*> vars_;
  std::unordered_map<const ir::VarNode*, ir::Expr> lets_;  // values of let variables, for address analysis
  std::unordered_map<const ir::BufferNode*, BufferInfo> buffers_;
  struct Memo {
    ir::Expr keep;  // the address is the key: the node must not die before it
    ::llvm::Value* value;
  };
  std::unordered_map<const ir::ExprNode*, Memo> memo_;
  ::llvm::Value* worker_ = nullptr;
  ::llvm::Value* num_workers_ = nullptr;
  std::string name_;
  bool has_parallel_ = false;
  bool in_parallel_ = false;
  int64_t stack_bytes_ = 0;
  std::optional<Error> error_;
};

}  // namespace mlc::codegen
