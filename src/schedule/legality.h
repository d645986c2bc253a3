// What a block is, and what may be done to the loops around it.
//
// Everything here is conservative: "no" with a reason when nothing better is known. The rules follow TVM's complete and
// reduction blocks, worked out on index maps instead of declarations.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "schedule/region.h"
#include "schedule/state.h"

namespace mlc::schedule {

enum class BlockKind {
  kComplete,   // no reduction; every instance writes elements of its own and reads nothing that other instances write
  kReduction,  // accumulates with + * min max & | ^ over its reduce variables: they may run in any order
  kOrdered,    // as a reduction, but the order of the reduce variables matters
  kOpaque,     // none of these: `reason` says why
};
struct BlockClass {
  BlockKind kind = BlockKind::kOpaque;
  std::string reason;     // for kOrdered and kOpaque
  bool in_place = false;  // a complete block that reads the elements it writes: running an instance twice is wrong
};
BlockClass classify(const ir::PrimFunc& f, const Path& block_path);

// buffer[indices] = op(buffer[indices], value): the update of a reduction, when the body is one such store. `value` is
// null when the store spells it with an intrinsic that accumulates by addition (fma, dot4_*, dot2_*).
struct Update {
  const ir::Store* store = nullptr;
  ir::BinaryOp op = ir::BinaryOp::kAdd;
  ir::Expr value;
};
std::optional<Update> match_update(const ir::Stmt& body);

// Loop variables in a binding of a reduce variable of the block.
std::set<ir::Var> reduce_loops(const ir::Block& block);

// A reduce variable of the block that is bound to a variable of the block around it: the reduction goes on outside.
std::optional<ir::Var> outer_reduction(const ir::PrimFunc& f, const Path& block_path);

// May the iterations of this loop run at the same time (parallel, thread) or as the lanes of one vector?
Result<void> check_independent(const State& s, const Path& loop_path, ir::ForKind kind, const std::string& thread);
// The same for every loop of the function that is not serial (but those that were given so).
Result<void> check_all_loops(const State& s);

// May the loops of `chain` (perfectly nested, outermost first) be put into the order `order` (indices into chain)?
Result<void> check_reorder(const State& s, const std::vector<const ir::For*>& chain, const std::vector<int>& order,
                           const Path& bottom_path);

// The blocks of the same scope as `path`'s last node, in textual order, with paths from the function's body.
std::vector<Path> scope_blocks(const State& s, const Path& path);
// Blocks of a list that read (write) a buffer.
std::vector<const Path*> readers(const std::vector<Path>& blocks, const ir::Buffer& b);
std::vector<const Path*> writers(const std::vector<Path>& blocks, const ir::Buffer& b);
std::vector<ir::Buffer> written_buffers(const ir::Block& block);
std::vector<ir::Buffer> read_buffers(const ir::Block& block);  // its own accumulator included

}  // namespace mlc::schedule
