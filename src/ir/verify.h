// The verifier: what a function must satisfy at each stage of its life.
#pragma once

#include "base/result.h"
#include "ir/func.h"

namespace mlc::ir {

enum class Level {
  kGraph,      // well-typed; every variable and buffer defined before use; index counts match ranks; block names unique
  kScheduled,  // the same, and: blocks' bindings cover their domains, loop kinds are legal (constant extents …)
  kLowered,    // no blocks, no vectorized or unrolled loops; at most one parallel loop nest; vectors explicit
};

// The first violation as an error that names function, statement and reason.
Result<void> verify(const PrimFunc& f, Level level);
Result<void> verify(const Module& m, Level level);

}  // namespace mlc::ir
