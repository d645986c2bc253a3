// What an op is: its shape rule and its meaning in IR. One file per op in ops/, one line in op_table().
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "ir/func.h"

namespace mlc::graph {

// What an op's emitter works with: its buffers, and how rows are counted. In a kernel with a row tile, rows come as
// (tile, row in tile) and every row buffer is padded to whole tiles, so that no tile has an edge.
class EmitContext {
 public:
  const Node* node = nullptr;
  std::vector<ir::Buffer> in, out;  // as the node's inputs and outputs
  ir::Var syms[kNumSyms];           // the size variables; absent ones are null
  Sym rows = Sym::kTokens;          // the symbol that counts the rows of the outputs
  int64_t row_tile = 1;
  int64_t register_sums = 16;  // Tiling::register_sums

  // Iteration variables for the rows of the output, to be followed by more; and the row index from them.
  std::vector<ir::IterSpec> row_iters(std::vector<ir::IterSpec> more) const;
  ir::Expr row(const std::vector<ir::Var>& vars) const;
  // The first variable after the row variables.
  size_t first_column_var() const { return row_tile > 1 ? 2 : 1; }
  // The extent of a dimension as declared in buffers: symbols rounded up to whole tiles.
  ir::Expr extent(const Dim& d) const;
  ir::Expr rows_extent() const { return extent(Dim::of(rows)); }
};

// How a kernel with this main op is scheduled (schedule/rules).
enum class OpKind {
  kMatmul,       // rows x columns x reduction: tiled and dispatched by rows; elementwise tails fuse into it
  kElementwise,  // output element depends on the same element of the inputs (and broadcast vectors): may be a tail
  kRowwise,      // independent per row, any pattern within it
  kExplicit,     // the emitter wrote the loops it wants
};

struct OpDef {
  std::string name;
  OpKind kind;
  std::vector<TensorType> (*infer)(const Node& node, const std::vector<TensorType>& inputs);
  // The computation. Intermediates that the kernel needs are wrapped in Allocate by the emitter.
  ir::Stmt (*emit)(const EmitContext& c);
  // Floating-point or integer operations (multiply and add count two) per row, for profiles.
  int64_t (*ops_per_row)(const Node& node);
};

const std::vector<OpDef>& op_table();
const OpDef& find_op(const std::string& name);

}  // namespace mlc::graph
