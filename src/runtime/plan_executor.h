// Runs the plan of a compiled model on the CPU: all workers walk its calls and meet at a barrier after each.
//
//   MLC_TRY(auto exec, PlanExecutor::create(module, params, pool, {.max_block_table_length = 1024}));
//   exec->bind_kv(pointers, num_pages);
//   exec->input<int32_t>("token_ids")[0] = 17; …
//   exec->run(symbols);                                   // T, R and P of this step
//   std::span<float> logits = exec->output<float>("logits");
//
// All memory is made in create(), for the largest step; run() allocates nothing, takes no lock and looks up no name.
//
// Small calls are split evenly. Calls with much work are split into several pieces per worker, which take them as they
// go: a core that other programs slow down, or a small core beside large ones, does less and nobody waits. What a piece
// computes does not depend on who computes it. A step whose attention is of few rows and KV heads over long contexts is
// split over positions too; that gives the same bits.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "runtime/module.h"
#include "runtime/param_store.h"
#include "runtime/profile.h"
#include "runtime/tensor.h"

namespace mlc::runtime {

class PlanExecutor {
 public:
  struct Options {
    int64_t max_block_table_length = 0;  // page table entries of one step
    bool profile = false;                // $MLC_PROFILE turns it on as well
    MachineLimits limits = {};           // beside which a profile shows the speeds
  };
  static Result<std::unique_ptr<PlanExecutor>> create(std::shared_ptr<const Module> module,
                                                      std::shared_ptr<const ParamStore> params, ThreadPool& pool,
                                                      const Options& options);
  ~PlanExecutor();
  PlanExecutor(const PlanExecutor&) = delete;
  PlanExecutor& operator=(const PlanExecutor&) = delete;

  // One pointer per buffer of Artifact::kv, each to num_pages pages; before the first run().
  void bind_kv(std::span<void* const> kv, int64_t num_pages);

  // The whole buffer, row padding included. The name and type are the artifact's (checked).
  template <typename T>
  std::span<T> input(std::string_view name) const {
    const Tensor& t = find(module_->artifact().inputs, inputs_, name, sizeof(T));
    return {t.as<T>(), static_cast<size_t>(t.bytes()) / sizeof(T)};
  }
  template <typename T>
  std::span<T> output(std::string_view name) const {
    const Tensor& t = find(module_->artifact().outputs, outputs_, name, sizeof(T));
    return {t.as<T>(), static_cast<size_t>(t.bytes()) / sizeof(T)};
  }
  bool has_input(std::string_view name) const;

  // Symbols must be within the limits that the artifact and Options state; kNumPages is set from bind_kv. Calls whose
  // row symbol is 0 are left out. Padding rows are whatever the buffers hold.
  void run(artifact::SymbolValues symbols);

  const artifact::SymbolValues& max_symbols() const { return max_; }
  int64_t temp_bytes() const { return arena_.bytes(); }
  std::vector<CallProfile> profile() const;  // empty unless profiling
  void reset_profile();

 private:
  struct Variant {
    int64_t max = -1;
    artifact::KernelFn fn = nullptr;
  };
  // Everything that a step needs to know about a call, with nothing to look up.
  struct Call {
    artifact::Symbol rows = artifact::Symbol::kNumTokens;
    uint32_t first_variant = 0, num_variants = 0;
    uint32_t first_buffer = 0;
    uint32_t first_size = 0, num_sizes = 0;
    bool reads_kv = false;
    artifact::When when = artifact::When::kAlways;
    int64_t param_bytes = 0, ops_per_row = 0;
    artifact::KernelFn chosen = nullptr;  // for this step; null: left out
    int chunks_per_worker = 1;            // for this step
  };
  // The next piece of a call that nobody has taken yet. One cache line each.
  struct alignas(64) Counter {
    std::atomic<int> next{0};
  };
  PlanExecutor(std::shared_ptr<const Module> module, std::shared_ptr<const ParamStore> params, ThreadPool& pool,
               const Options& options);
  Result<void> allocate();
  Result<void> resolve();
  void* pointer_of(const artifact::BufferRef& ref) const;
  void prepare(const artifact::SymbolValues& symbols);
  static int chunks_per_worker(const Call& call, int64_t rows);
  int64_t parts_of_step(int64_t rows) const;
  void execute(size_t call, int worker, int num_workers);
  void walk(int worker, int num_workers);
  void walk_profiled(int worker, int num_workers);
  void record_call(size_t index, int64_t start_ns, int64_t end_ns);
  Work attention_of_step(const artifact::SymbolValues& symbols) const;
  const Tensor& find(const std::vector<artifact::TensorSpec>& specs, const std::vector<Tensor>& tensors,
                     std::string_view name, size_t element_bytes) const;

  std::shared_ptr<const Module> module_;
  std::shared_ptr<const ParamStore> params_;
  ThreadPool& pool_;
  const bool profiling_;
  const bool print_at_exit_;
  artifact::SymbolValues max_;
  Tensor arena_;
  std::vector<Tensor> inputs_, outputs_;
  std::vector<void*> kv_;
  int64_t num_pages_ = 0;
  std::vector<Call> calls_;
  std::unique_ptr<Counter[]> counters_;  // one per call
  std::vector<Variant> variants_;
  std::vector<void*> buffers_;
  std::vector<artifact::LinearSize> size_formulas_;
  std::vector<int64_t> sizes_;
  int64_t rows_[artifact::kNumSymbols] = {};
  const int32_t* positions_ = nullptr;  // the input; null if the model has none
  // Profiling only: per call, its work of one row; a layer's attention over the context of this step.
  const MachineLimits limits_;
  std::vector<CallProfile> profile_;
  std::vector<Work> row_work_;
  std::vector<bool> reads_context_;
  Work attention_;
};

}  // namespace mlc::runtime
