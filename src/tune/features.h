// What the cost model sees of a schedule: numbers of fixed meaning, read off the scheduled function.
//
//   std::vector<float> x = features_of(candidate.scheduled, rows);   // kNumFeatures of them, feature_names() says
//   which
//
// Counts are log2(1 + n). "Executed" means times the extents of all loops around, with every size parameter at `rows`;
// an extent that depends on data counts as 1.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ir/func.h"

namespace mlc::tune {

inline constexpr std::array kFeatureNames = {
    "rows",                 // of the activations
    "parallel_extent",      // iterations that are shared among workers
    "vector_lanes",         // the widest vectorized loop
    "unrolled_copies",      // the largest product of unrolled loops around a store
    "code_stores",          // stores in the unrolled code: its size
    "serial_iterations",    // the largest product of loops that stay loops inside the parallel one
    "float_operations",     // executed additions, products, fused products … of floats
    "integer_operations",   // executed, index arithmetic left out
    "dot_operations",       // executed dot4_* and dot2_*
    "loads",                // executed, whatever they read
    "stores",               // executed
    "bytes_from_memory",    // executed loads of parameters, in bytes
    "bytes_from_local",     // executed loads of local buffers, in bytes
    "local_bytes",          // of all local buffers, for one parallel iteration: registers that are wanted
    "parameter_bytes",      // of the buffers that are read, once
    "operations_per_byte",  // (float + integer + dot) / bytes_from_memory, not as a logarithm
    "prefetched_buffers",   // how many loops ask for how many buffers
    "prefetch_outer",       // the distance on the parallel loop
    "prefetch_inner",       // the distance on a serial loop
};
inline constexpr size_t kNumFeatures = kFeatureNames.size();

std::vector<float> features_of(const ir::PrimFunc& scheduled, int64_t rows);

}  // namespace mlc::tune
