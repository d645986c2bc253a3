// The kernels behind loader/limits.h, as scheduled IR.
#pragma once

#include <cstdint>
#include <string>

#include "ir/func.h"

namespace mlc::loader {

inline constexpr int64_t kProbeBytes = int64_t{512} << 20;  // far more than caches hold
inline constexpr int64_t kProbeBlocks = 64;                 // of the data, shared out to the workers
inline constexpr int64_t kProbeLanes = 16;
inline constexpr int64_t kProbeOperands = 32;  // vectors
inline constexpr int kMaxAccumulators = 12;

// Sums i32 data [blocks, streams, words] to out [blocks, lanes]: the streams of a block are walked side by side, each
// prefetched `prefetch_bytes` ahead (0: not at all).
ir::PrimFunc read_probe(const std::string& name, int streams, int prefetch_bytes);
// `rounds` times one multiply-add to each of `sums` independent vector accumulators in registers, by each of `workers`.
// operands [kProbeOperands, lanes], out [workers, sums, lanes]; sizes: workers, rounds.
ir::PrimFunc dot_probe(const std::string& name, int sums);   // dot4_u7s8 on i32 words
ir::PrimFunc fma_probe(const std::string& name, int sums);   // fma on f32
ir::PrimFunc bf16_probe(const std::string& name, int sums);  // dot2_bf16, operands as the bits of f32
// The same for processors without a four-way dot product: eight dot products of 4-bit codes per sum and round, as a
// matmul does them (lower/sum_in_i16.h). Operands differ from sum to sum and round to round: equal products would be
// computed once.
inline constexpr int64_t kCodeSteps = 8;
ir::PrimFunc codes_probe(const std::string& name, int sums);

}  // namespace mlc::loader
