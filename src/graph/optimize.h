// Graph to graph: choose how linear layers compute, fuse, plan memory.
#pragma once

#include <string>

#include "graph/graph.h"

namespace mlc::graph {

// How the inputs of linear layers are represented: kInt8 quantizes those of quantized layers per row and group of 32
// (integer dot products), kFloat32 keeps all exact.
enum class Activation { kFloat32, kInt8 };

// linear(x, w)  ->  matmul(x, dequantize(w))                       float weights, or exact activations
//               ->  matmul_int8(quantize_rows(x), w)               integer weights and int8 activations
//               ->  matmul_bf16(bf16_rows(x), w)                   bf16 weights, if bf16_dots and not exact
// One quantize_rows or bf16_rows serves all linear layers that read the same x. With zeros_apart the zero points of
// 4-bit weights come as two 16-bit parts, for CPUs whose integer dot products are sums in 16 bits.
Graph expand_linear(const Graph& g, Activation activation, bool bf16_dots = false, bool zeros_apart = false);

// Groups nodes into kernels: a matmul takes the dequantization of its weight before it and the elementwise tail behind
// it (each link consumed by nobody else); every other node is a kernel of its own.
Graph fuse(const Graph& g);

// Where each temp value lives: offsets as constant + coefficient * rows (T, R and Q are counted separately).
// Values inside a group take no memory. Values whose lifetimes do not overlap share bytes; all are 64-byte aligned.
struct RowBytes {
  int64_t per_token = 0, per_logit_row = 0, per_part = 0;
};
struct MemoryPlan {
  std::vector<RowBytes> offset;  // per value; meaningful for temps that cross groups
  std::vector<RowBytes> size;
  std::vector<bool> placed;
  RowBytes total;
};
MemoryPlan plan_memory(const Graph& g);

}  // namespace mlc::graph
