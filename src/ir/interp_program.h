// The interpreter's inside (private to ir/): a function with its variables, buffers and constants resolved to slots of
// a frame (interp_compile.cc), so that running it needs no maps. Expressions are run by interp_eval.cc, statements by
// interp.cc.
//
// A slot holds one lane: integers and bool sign- or zero-extended in i (u64: the bit pattern), floats of every type in
// f, already rounded to the type. Each expression owns as many slots as it has lanes and leaves its value there.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/func.h"
#include "ir/intrinsics.h"

namespace mlc::ir::interp {

union Slot {
  int64_t i;
  double f;
};

struct Program;

enum class EKind : uint8_t {
  kValue,  // a constant or a variable: the slots already hold it
  kUnary,
  kBinary,
  kCast,
  kReinterpret,
  kSelect,
  kLoad,
  kLoadBits,
  kRamp,
  kBroadcast,
  kShuffle,
  kVectorReduce,
  kMath,
  kInstruction,
};

struct ENode {
  EKind kind = EKind::kValue;
  uint8_t op = 0;                          // UnaryOp, BinaryOp, ReduceOp or MathOp
  DType type;                              // of the result
  DType operand;                           // of the first operand
  int out = 0;                             // first slot
  int buffer = -1;                         // kLoad, kLoadBits
  int predicate = -1;                      // kLoad
  std::vector<int> args;                   // node numbers: operands or indices
  std::vector<int> lanes;                  // kShuffle
  std::shared_ptr<const Program> meaning;  // kInstruction
};

enum class MathOp : uint8_t {
  kExp,
  kExp2,
  kLog,
  kSqrt,
  kRsqrt,
  kAbs,
  kFloor,
  kCeil,
  kRound,
  kTanh,
  kSin,
  kCos,
  kFma,
  kPopcount,
  kDot4,  // dot4_u8s8 and dot4_u7s8
  kDot2,  // dot2_bf16
};

enum class SKind : uint8_t { kFor, kStore, kIf, kSeq, kAllocate, kLet, kBlock, kEvaluate, kAssume, kNothing, kBarrier };

struct SNode {
  SKind kind = SKind::kNothing;
  Stmt source;                // for messages
  bool group = false;         // holds a barrier or a shared allocation: the threads of a group walk it together
  bool thread_axis = false;   // kFor: one iteration per thread of the group
  int a = -1, b = -1;         // kFor: min, extent; kStore, kLet, kIf, kEvaluate, kAssume: the value or condition
  int slot = 0;               // kFor, kLet: the variable
  int buffer = -1;            // kStore, kAllocate
  int predicate = -1;         // kStore, kBlock
  std::vector<int> indices;   // kStore
  std::vector<int> children;  // statements; kIf: then, else (or -1); kBlock: init (or -1), body
  struct Iter {
    int slot, extent, binding;
    bool reduce;
  };
  std::vector<Iter> iters;  // kBlock
  std::vector<int> allocs;  // kBlock
};

struct BufferInfo {
  Buffer buffer;
  DType type;
  std::vector<int> shape;  // expressions
  int dims = 0;            // slots of the frame that hold the evaluated shape
};

struct Program {
  PrimFunc func;
  std::vector<ENode> exprs;
  std::vector<SNode> stmts;
  std::vector<BufferInfo> buffers;  // parameters first
  std::vector<int> sizes;           // slots
  std::vector<Slot> initial;        // the frame with its constants
  int body = -1;
};

std::shared_ptr<const Program> compile(const PrimFunc& f);

struct View {
  uint8_t* data = nullptr;
  int64_t bytes = 0;
  std::shared_ptr<std::vector<uint8_t>> owner;  // null for parameters
};

// The state of one thread.
struct Frame {
  std::vector<Slot> slots;
  std::vector<View> views;
};

// Thrown inside the interpreter: an error of the program that runs.
struct Trap {
  std::string message;
};
template <typename... Args>
[[noreturn]] void trap(fmt::format_string<Args...> f, Args&&... args) {
  throw Trap{fmt::format(f, std::forward<Args>(args)...)};
}

// Evaluates node n; its value is then in frame.slots[exprs[n].out …].
void eval(const Program& p, int n, Frame& frame);
// Byte offset of a scalar element after checking every index against the shape; lane picks of vector indices.
int64_t element_offset(const Program& p, const BufferInfo& info, const std::vector<int>& indices, int lane,
                       const Frame& frame);
// Lanes to and from memory, element by element (little endian).
void encode(DType type, const Slot* from, int lanes, uint8_t* to);
void decode(DType type, const uint8_t* from, int lanes, Slot* to);
// Runs a program whose frame has its sizes and parameter buffers set.
void run(const Program& p, Frame& frame);
// Sets the parameter buffers' shapes; checks that the views are large enough.
void bind_parameters(const Program& p, Frame& frame);

}  // namespace mlc::ir::interp
