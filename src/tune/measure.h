// How long a schedule of a kernel takes on this machine, and whether it gives the same bits as the one chosen by hand.
//
//   MLC_TRY(auto bench, KernelBench::create(func, target, {.rows = 8}, pool));
//   MLC_TRY(Candidate c, bench->compile(decisions));
//   if (bench->same_bits(c)) std::vector<double> s = bench->measure({&c}, 5);   // {by hand, c}: medians per call
//
// Kernels run as the executor runs them: all workers, in pieces where there is much work, a barrier after each call.
// Weights are read-only buffers of
// random contents, as many copies as are larger together than the caches, since a step of a model has displaced them
// too.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "artifact/abi.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "codegen/llvm/jit.h"
#include "ir/func.h"
#include "runtime/tensor.h"
#include "schedule/sampling.h"
#include "schedule/schedule.h"
#include "target/target.h"

namespace mlc::tune {

// One schedule of a kernel, as machine code.
struct Candidate {
  schedule::Decisions decisions;  // of all variables
  schedule::Trace trace;
  ir::PrimFunc scheduled;
  std::shared_ptr<codegen::JitLibrary> library;
  artifact::KernelFn fn = nullptr;
};

struct BenchOptions {
  int64_t rows = 1;  // the value of all size parameters
  uint64_t seed = 1;
  int opt_level = 2;
  int64_t cold_bytes = int64_t{160} << 20;  // what the copies of the weights come to
  double round_s = 2e-3;                    // how long one round of one candidate takes at least
};

class KernelBench {
 public:
  // `unscheduled` as graph::to_ir makes it. Fails when the kernel cannot be compiled for the target.
  static Result<std::unique_ptr<KernelBench>> create(const ir::PrimFunc& unscheduled, const target::Target& target,
                                                     const BenchOptions& options, ThreadPool& pool);
  const Candidate& by_hand() const { return by_hand_; }

  // Empty decisions: by hand. An error says why the schedule or its lowering was refused.
  Result<Candidate> compile(const schedule::Decisions& decisions) const;
  // Runs it once on the contents on which the schedule by hand ran, and compares every byte that either wrote.
  bool same_bits(const Candidate& candidate);
  // Median seconds of one call: of the schedule by hand first, then of each candidate. The rounds of all are
  // interleaved, so that a slow moment of the machine hits all alike.
  std::vector<double> measure(const std::vector<const Candidate*>& candidates, int rounds);

 private:
  KernelBench(const ir::PrimFunc& f, const target::Target& target, const BenchOptions& options, ThreadPool& pool)
      : func_(f), target_(target), options_(options), pool_(pool) {}
  Result<void> allocate();
  void restore_outputs();
  void run_once(artifact::KernelFn fn);
  void run_call(artifact::KernelFn fn, size_t set, int worker, int num_workers, std::atomic<int>& next) const;
  double time(artifact::KernelFn fn, int calls);
  std::vector<std::string> outputs() const;

  const ir::PrimFunc func_;
  const target::Target target_;
  const BenchOptions options_;
  ThreadPool& pool_;
  std::vector<runtime::Tensor> tensors_;
  std::vector<size_t> written_;              // parameters that the kernel writes
  std::vector<std::string> before_, after_;  // of written_: contents at first, and after the schedule by hand
  std::vector<std::vector<void*>> sets_;     // arguments; they differ in the copies of the weights
  std::vector<int64_t> sizes_;
  size_t next_set_ = 0;
  int pieces_per_worker_ = 1;
  Candidate by_hand_;
};

}  // namespace mlc::tune
