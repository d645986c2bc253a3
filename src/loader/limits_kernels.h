// The kernels behind loader/limits.h, as scheduled IR.
#pragma once

#include <cstdint>
#include <string>

#include "ir/func.h"

namespace mlc::loader {

inline constexpr int64_t kProbeBytes = int64_t{512} << 20;  // far more than caches hold
inline constexpr int64_t kProbeBlocks = 64;                 // of the data, shared out to the workers
inline constexpr int64_t kProbeLanes = 16;
inline constexpr int kProbeAccumulators = 12;

// Sums i32 data [blocks, streams, words] to out [blocks, lanes]: the streams of a block are walked side by side, each
// prefetched `prefetch_bytes` ahead (0: not at all).
ir::PrimFunc read_probe(const std::string& name, int streams, int prefetch_bytes);
// `rounds` times one multiply-add to each of twelve independent vector accumulators in registers, by each of `workers`.
// operands [2, lanes], out [workers, accumulators, lanes]; sizes: workers, rounds.
ir::PrimFunc dot_probe(const std::string& name);   // dot4_u7s8 on i32 words
ir::PrimFunc fma_probe(const std::string& name);   // fma on f32
ir::PrimFunc bf16_probe(const std::string& name);  // dot2_bf16, operands as the bits of f32

}  // namespace mlc::loader
