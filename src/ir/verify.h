// The verifier: what a function must satisfy at each stage of its life.
#pragma once

#include "base/result.h"
#include "ir/func.h"

namespace mlc::ir {

enum class Level {
  // Well-typed (the rules are the builders'); every variable and buffer defined before use and bound once at a time;
  // shapes use constants and sizes only; inside a block only its variables, sizes and buffers in scope appear; block
  // names unique; an init needs a reduce variable; vectorized and unrolled loops have constant extents; thread-bound
  // loops name their axis; calls name a known intrinsic with the right types.
  kGraph,
  // The same. That bindings cover the domains of their blocks is checked by schedule/ (it needs arith/), and by the
  // interpreter for the values that it runs.
  kScheduled,
  // No blocks, no vectorized or unrolled loops (vectors are explicit); at most one parallel loop, under no other loop,
  // and no store outside it.
  kLowered,
};

// The first violation as an error that names function, statement and reason.
Result<void> verify(const PrimFunc& f, Level level);
Result<void> verify(const Module& m, Level level);

}  // namespace mlc::ir
