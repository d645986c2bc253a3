// From fused graph to IR: one PrimFunc per distinct kernel and row range, and the calls of a step in order.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "ir/func.h"

namespace mlc::graph {

// The function to use when the row count lies in [min, max] (max < 0: no limit).
struct CallVariant {
  std::string function;
  int64_t min = 1, max = -1;
};

struct Call {
  std::string name;
  Sym rows = Sym::kTokens;
  std::vector<CallVariant> variants;
  std::vector<ValueId> buffers;  // in the functions' parameter order
  std::vector<Sym> sizes;        // likewise
  When when = When::kAlways;
  int64_t param_bytes = 0, ops_per_row = 0;
};

// Functions carry the attributes "stage" = "graph", "rule" = "matmul" | "rowwise" | "explicit" (the schedule rule that
// fits), "row_tile" = n. Equal groups (same ops, attributes, types) share their functions.
struct Program {
  ir::Module module;
  std::vector<Call> calls;
};

// The row counts for which matmuls are compiled: tiles of `tile` rows serve up to `max` rows. Tiles have at most
// `largest` rows, a power of two.
struct RowRange {
  int64_t tile = 1, max = -1;
};
std::vector<RowRange> matmul_row_ranges(int64_t largest);

// What the target's registers hold.
struct Tiling {
  int64_t largest_tile = 8;    // rows of a matmul's tile
  int64_t register_sums = 16;  // vectors of 16 floats that are summed at once, operands beside them
};
Program to_ir(const Graph& g, const Tiling& tiling = {});

}  // namespace mlc::graph
