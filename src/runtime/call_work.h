// How much a kernel call of a plan reads, writes and computes, for profiles and benchmarks.
#pragma once

#include "artifact/artifact.h"
#include "runtime/machine_limits.h"

namespace mlc::runtime {

// Of a call, a step or a whole measurement. Bytes are the least that must move: what a kernel reads twice counts once.
struct Work {
  double weight_bytes = 0;
  double activation_bytes = 0;  // temps, inputs and outputs; they are usually found in caches
  double kv_bytes = 0;          // keys and values of the context
  double int8_ops = 0;          // multiply-adds x 2 by integer dot products
  double f32_ops = 0;           // multiply-adds x 2 in f32
  double bf16_ops = 0;          // multiply-adds x 2 by bf16 dot products
  double ops() const { return int8_ops + f32_ops + bf16_ops; }
  // What memory has to deliver: weights and context.
  double memory_bytes() const { return weight_bytes + kv_bytes; }
  Work& operator+=(const Work& o);
  Work times(double n) const;
};

// The time below which this work cannot be done: the longer of reading memory_bytes and computing. The name is that of
// the limit which decides ("read", "int8", "bf16" or "f32"). Unknown limits give 0 seconds.
struct Bound {
  double seconds = 0;
  const char* limit = "";
};
Bound bound_of(const Work& work, const MachineLimits& limits);

// Weights, activations and weight arithmetic of one call with that many rows; attention's context is not in it.
Work call_work(const artifact::Artifact& artifact, const artifact::KernelCall& call, int64_t rows);
// The call reads the cached context (attention).
bool reads_context(const artifact::Artifact& artifact, const artifact::KernelCall& call);
// What attention does in one layer: `pairs` (query row, cached token) combinations, computed in f32, and `cached`
// tokens whose keys and values are read.
Work attention_work(const artifact::ModelFacts& facts, double pairs, double cached);

}  // namespace mlc::runtime
