// What a primitive sees (State) and what it answers (Change). A primitive is a function from one to the other and owns
// nothing, so that a refused instruction changes nothing.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "schedule/refs.h"
#include "schedule/tree.h"

namespace mlc::schedule {

// A loop or block, found in the function. `node` points into `path.back()`.
struct LoopAt {
  Path path;
  const ir::For* node = nullptr;
  std::string label;  // "loop l3 (i)", for messages
};
struct BlockAt {
  Path path;
  const ir::Block* node = nullptr;
  std::string label;  // "block b0 (C)"
};

struct State {
  ir::PrimFunc func;
  std::vector<std::string> blocks;  // BlockRef.id -> name
  std::vector<ir::Var> loops;       // LoopRef.id -> variable
  std::vector<int64_t> values;      // ValueRef.id -> what was chosen
  // Facts about the function as it was given: blocks that had a predicate of their own (it is part of their meaning,
  // and moving them would lose it), and loops that were parallel already (trusted, not checked again).
  std::set<std::string> guarded_blocks;
  std::set<ir::Var> given_loops;

  Result<LoopAt> find(LoopRef ref) const;
  Result<BlockAt> find(BlockRef ref) const;
  Result<int64_t> value(const Number& n) const;
  Result<BlockAt> find_block(const std::string& name) const;
  std::string label(const ir::Var& loop) const;  // "loop l3 (i)", or "loop i" when it has no handle
};

struct Change {
  ir::Stmt body;                    // the new body of the function
  std::vector<std::string> blocks;  // outputs of the instruction: blocks first, then loops, then values
  std::vector<ir::Var> loops;
  std::vector<int64_t> values = {};
};

}  // namespace mlc::schedule
