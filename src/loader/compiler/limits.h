// What this machine can do at the moment, measured by kernels of our own compiler: the yardstick beside every speed.
//
//   MLC_TRY(auto probe, LimitsProbe::create(target, pool));      // half a second; keeps 512 MiB while it lives
//   for (…) { probe->round(); … measure something … }            // interleaved, so that both see the same machine
//   runtime::MachineLimits l = probe->limits();
//
// There is no one access pattern that reads fastest on every machine and at every moment, so create() tries several
// (address streams per thread, distance of the prefetch) and a round takes the best of the leading ones. limits() are
// the medians over the rounds.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "codegen/llvm/jit.h"
#include "runtime/machine_limits.h"
#include "runtime/tensor.h"
#include "target/target.h"

namespace mlc::loader {

class LimitsProbe {
 public:
  static Result<std::unique_ptr<LimitsProbe>> create(const target::Target& target, ThreadPool& pool);

  void round();
  int rounds() const { return static_cast<int>(read_.size()); }
  // After at least one round.
  runtime::MachineLimits limits() const;
  // The access pattern that was fastest in most rounds, for people: "4 streams, prefetch 2 KiB ahead".
  std::string best_pattern() const;

 private:
  struct Pattern {
    int streams = 1, prefetch_bytes = 0;
    artifact::KernelFn fn = nullptr;
    int wins = 0;
  };
  LimitsProbe(codegen::JitLibrary jit, ThreadPool& pool) : jit_(std::move(jit)), pool_(pool) {}
  void spread_threads();
  double read_seconds(const Pattern& pattern);
  double compute_ops_per_s(artifact::KernelFn fn, double ops_per_round, int64_t& kernel_rounds);

  codegen::JitLibrary jit_;
  ThreadPool& pool_;
  std::vector<Pattern> patterns_;
  artifact::KernelFn dot_ = nullptr, fma_ = nullptr, bf16_ = nullptr;
  int64_t num_sums_ = 0, dot_steps_ = 1;                       // of a round, see limits_kernels.h
  int64_t dot_rounds_ = 0, fma_rounds_ = 0, bf16_rounds_ = 0;  // of one call, so that it takes a few milliseconds
  runtime::Tensor data_, out_, operands_;
  std::vector<double> read_, int8_, f32_, half_;  // a value per round
};

// For CpuModelRunner: measured if $MLC_PROFILE asks for a profile, else unknown.
Result<runtime::MachineLimits> profile_limits(const target::Target& target, ThreadPool& pool);
// A few rounds, for commands that measure nothing else: about two seconds.
Result<runtime::MachineLimits> measure_limits(const target::Target& target, ThreadPool& pool);

}  // namespace mlc::loader
