// Who touches what among the threads of a work-group. Shared by the passes that make GPU kernels.
//
// A *leaf* is a piece of code that threads run without meeting: bind_threads wraps each in a loop of one iteration
// whose annotation kLeafKey names the thread axes that it is bound to ("threadIdx.x threadIdx.y"; the thread at 0 of
// the other axes runs it alone). insert_barriers takes the wrapping away.
#pragma once

#include <string>
#include <vector>

#include "arith/bounds.h"
#include "ir/visit.h"

namespace mlc::lower {

inline constexpr const char* kLeafKey = "thread_leaf";

inline bool is_thread_axis(const ir::For& f) {
  return f.kind == ir::ForKind::kThread && f.thread.rfind("threadIdx", 0) == 0;
}
inline bool is_block_axis(const ir::For& f) {
  return f.kind == ir::ForKind::kThread && f.thread.rfind("blockIdx", 0) == 0;
}

// One thread axis of a work-group.
struct ThreadAxis {
  std::string name;  // "threadIdx.x"
  ir::Var var;
  int64_t extent = 1;
};

// One load or store.
struct ThreadAccess {
  ir::Buffer buffer;
  std::vector<ir::Expr> indices;
  int64_t last_lane = 0;  // how many elements follow the first, in the last dimension
  bool write = false;
  bool all_threads = false;       // evaluated by every thread: a let or a condition around leaves
  std::vector<std::string> axes;  // that the leaf is bound to
};

// All accesses in a piece of code, leaves or what is around them, and what is known about the variables bound in it.
class ThreadAccesses : public ir::Visitor {
 public:
  std::vector<ThreadAccess> list;
  arith::Bounds bounds;

  using ir::Visitor::visit;
  void visit(const ir::Expr& e) override;
  void visit(const ir::Stmt& s) override;

 private:
  void add(const ir::Buffer& b, const std::vector<ir::Expr>& indices, int64_t lanes, bool write);
  bool in_leaf_ = false;
  std::vector<std::string> axes_;
};

// True when two accesses of one buffer that meet in an element are surely by the same thread. `uniform` are the
// variables that all threads agree on for the life of the work-group: block indices and sizes.
bool same_thread(const ThreadAccess& a, const ThreadAccess& b, const std::vector<ThreadAxis>& axes,
                 const std::set<ir::Var>& uniform, const arith::Bounds& bounds);

}  // namespace mlc::lower
