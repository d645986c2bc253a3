// Statements of the tensor IR: immutable values, a closed list of kinds.
//
//  * For runs body for var = min, min+1, …, min+extent-1 (i64). The extent may be data dependent (it may contain
//  loads).
//    kParallel, kVectorized, kUnrolled and thread-bound loops mean the same as a serial loop in which iterations may
//    run in any order: whoever creates them has shown that they are independent (schedule/ checks it). kVectorized and
//    kUnrolled need a constant extent. A thread-bound loop names its axis in `thread` ("blockIdx.x", "threadIdx.x" …);
//    every thread of a group executes every Barrier in it.
//  * Block is the unit of scheduling: a named piece of computation with iteration variables of its own. Inside, only
//  the
//    block's variables and the function's sizes appear; how the variables follow from the loops around stands in
//    `binding`. A spatial variable may be visited in any order; a reduce variable accumulates. `init` runs before the
//    body in the instances in which all reduce variables are at 0. `predicate` (may be null) guards the instance: tiles
//    at the edge. `reads` and `writes` are the regions touched, for legality checks. Buffers in `allocs` live for one
//    instance of the block.
//  * Store writes value to buffer[indices], with the vector rules of Load; lanes whose predicate is false are not
//    written. If two lanes of one store hit the same element, the result is unspecified.
//  * Assume tells a fact to the optimizer and the verifier; the interpreter checks it.
//  * Prefetch is a hint; its address may lie outside the buffer.
//  * Barrier synchronizes the threads of a group (kShared) and orders their memory accesses.
//
//   Stmt s = for_("i", 0, 128, [&](Var i) { return store(C, {i}, load(A, {i}) + load(B, {i})); });
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ir/expr.h"

namespace mlc::ir {

struct StmtNode;
class Stmt {
 public:
  Stmt() = default;
  explicit Stmt(std::shared_ptr<const StmtNode> node) : node_(std::move(node)) {}
  const StmtNode& operator*() const { return *node_; }
  const StmtNode* operator->() const { return node_.get(); }
  const StmtNode* get() const { return node_.get(); }
  explicit operator bool() const { return node_ != nullptr; }
  bool same_as(const Stmt& o) const { return node_ == o.node_; }

 private:
  std::shared_ptr<const StmtNode> node_;
};

enum class ForKind { kSerial, kParallel, kVectorized, kUnrolled, kThread };
using AnnotationValue = std::variant<int64_t, std::string>;
using Annotations = std::map<std::string, AnnotationValue>;

struct For {
  Var var;
  Expr min, extent;  // i64
  ForKind kind = ForKind::kSerial;
  Stmt body;
  std::string thread;  // for kThread
  Annotations annotations;
};
struct Store {
  Buffer buffer;
  std::vector<Expr> indices;
  Expr value;
  Expr predicate;  // may be null
};
struct If {
  Expr cond;
  Stmt then_case;
  Stmt else_case;  // may be null
};
struct Seq {
  std::vector<Stmt> stmts;
};
struct Allocate {
  Buffer buffer;  // constant or size-dependent shape; contents undefined at first
  Stmt body;
};
struct Let {
  Var var;
  Expr value;
  Stmt body;
};

enum class IterKind { kSpatial, kReduce };
struct IterVar {
  Var var;
  Expr extent;  // the domain is [0, extent)
  IterKind kind = IterKind::kSpatial;
  Expr binding;  // in terms of the loops outside
};
struct Range {
  Expr min, extent;
};
struct BufferRegion {
  Buffer buffer;
  std::vector<Range> ranges;  // one per dimension
};
struct Block {
  std::string name;  // unique in its function
  std::vector<IterVar> iters;
  Expr predicate;  // in terms of the loops outside; may be null
  std::vector<BufferRegion> reads, writes;
  std::vector<Buffer> allocs;
  Stmt init;  // may be null
  Stmt body;
  Annotations annotations;
};

struct Evaluate {
  Expr value;
};
struct Assume {
  Expr cond;
};
struct Prefetch {
  Buffer buffer;
  std::vector<Expr> indices;
  int locality = 3;  // 0: none (stream) … 3: keep in all caches, as the hardware hints have it
};
struct Barrier {
  Scope scope = Scope::kShared;
};

struct StmtNode {
  std::variant<For, Store, If, Seq, Allocate, Let, Block, Evaluate, Assume, Prefetch, Barrier> kind;
};

template <typename... Fs>
decltype(auto) match(const Stmt& s, Fs&&... fs) {
  return std::visit(Overloaded{std::forward<Fs>(fs)...}, s->kind);
}
template <typename T>
const T* as(const Stmt& s) {
  return s ? std::get_if<T>(&s->kind) : nullptr;
}

// ---- Builders
template <typename T>
Stmt make_stmt(T node) {
  return Stmt(std::make_shared<const StmtNode>(StmtNode{std::move(node)}));
}
Stmt for_(const Var& v, Expr min, Expr extent, Stmt body, ForKind kind = ForKind::kSerial);
Stmt for_(const std::string& name, Expr min, Expr extent, const std::function<Stmt(Var)>& body,
          ForKind kind = ForKind::kSerial);
Stmt store(const Buffer& buffer, std::vector<Expr> indices, Expr value, Expr predicate = {});
Stmt if_(Expr cond, Stmt then_case, Stmt else_case = {});
Stmt seq(std::vector<Stmt> stmts);  // flattens nested sequences, drops nulls; a single statement stays itself
Stmt allocate(const Buffer& buffer, Stmt body);
Stmt let(const Var& v, Expr value, Stmt body);
Stmt evaluate(Expr value);
Stmt assume(Expr cond);
Stmt prefetch(const Buffer& buffer, std::vector<Expr> indices, int locality = 3);
Stmt barrier(Scope scope = Scope::kShared);

// The regions that a piece of code touches, in terms of the variables that are free in it: loops inside become extents,
// a dimension that cannot be bounded by simple interval arithmetic becomes the whole dimension. One region per buffer,
// in the order of first use; buffers allocated inside do not appear. Reads include a reduction's own accumulator.
struct Regions {
  std::vector<BufferRegion> reads, writes;
};
Regions derive_regions(const std::vector<Stmt>& stmts);

// A block with one fresh loop per iteration variable around it; reads and writes are derived from the body. The loop
// has the name of the specification ("m"), the block's variable has a "v" before it ("vm").
//
//   block("C", {{"m", M}, {"n", N}, {"k", K, IterKind::kReduce}},
//         [&](const std::vector<Var>& v) { return BlockBody{init, body}; });
struct IterSpec {
  std::string name;
  Expr extent;
  IterKind kind = IterKind::kSpatial;
};
struct BlockBody {
  Stmt init;  // may be null
  Stmt body;
};
Stmt block(const std::string& name, const std::vector<IterSpec>& iters,
           const std::function<BlockBody(const std::vector<Var>&)>& body, Annotations annotations = {});

}  // namespace mlc::ir
