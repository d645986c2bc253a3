// Cutting a block at a loop: what stays outside becomes the variables of a new outer block, what is inside the tile.
// Shared by blockize and tensorize.
//
//   v = n0 * 16 + n1, cut at n1   ->   outer variable v_o = n0 (a sixteenth of v's extent), v = v_o * 16 + n1
#pragma once

#include "schedule/region.h"
#include "schedule/state.h"

namespace mlc::schedule {

struct Tile {
  std::vector<const ir::For*> loops;      // the loop and those inside, down to the block
  Path block_path;                        // from the function's body
  std::vector<ir::IterVar> outer;         // fresh variables, bound to loops outside
  ir::VarMap values;                      // each variable of the block: in terms of `outer` and the tile's loops
  ir::Expr outer_predicate;               // on the loops outside; may be null
  std::vector<ir::Expr> inner_predicate;  // conjuncts that the tile needs, in terms of `outer` and the tile's loops
};

// Needs exactly one block under the loop, in a perfect nest.
Result<Tile> cut_tile(const State& s, const LoopAt& at);

}  // namespace mlc::schedule
