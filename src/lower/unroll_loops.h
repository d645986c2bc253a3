// Unrolled loops become straight-line code, so that local arrays are indexed by constants and live in registers.
//
//   unrolled for i in 0..3 { acc[i] = acc[i] + a[i*4] }   ->   acc[0] = …;  acc[1] = …;  acc[2] = …
//
// A loop of more than kMaxUnroll iterations, or whose copies would exceed kMaxStatements, stays a serial loop.
#pragma once

#include <cstdint>

#include "ir/func.h"

namespace mlc::lower {

inline constexpr int64_t kMaxUnroll = 1024;
inline constexpr int64_t kMaxStatements = 1 << 13;

ir::PrimFunc unroll_loops(const ir::PrimFunc& f);

}  // namespace mlc::lower
