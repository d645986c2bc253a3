// Runs a compiled model on this machine's cores.
//
//   auto pool = std::make_shared<ThreadPool>(default_num_threads());
//   MLC_TRY(auto module, runtime::Module::load("lib.so"));
//   MLC_TRY(auto params, runtime::ParamStore::open(*module, *source, *pool, options));
//   MLC_TRY(auto engine, Engine::create(std::make_unique<CpuModelRunner>(module, params, pool), {}));
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "engine/model_runner.h"
#include "runtime/plan_executor.h"

namespace mlc::engine {

// Other programs live in the same memory; with prefix reuse the cache fills up over time.
inline constexpr double kDefaultMemoryShare = 0.5;

class CpuModelRunner : public ModelRunner {
 public:
  // profile: measure every kernel call (see runtime::PlanExecutor). limits: beside which a profile shows the speeds.
  CpuModelRunner(std::shared_ptr<const runtime::Module> module, std::shared_ptr<const runtime::ParamStore> params,
                 std::shared_ptr<ThreadPool> pool, bool profile = false, const runtime::MachineLimits& limits = {});

  // The share of the memory available that the KV cache may take, in (0, 1]; before limits() is asked.
  void set_memory_share(double share) { memory_share_ = share; }

  RunnerLimits limits() const override;
  // Fails if the memory that this process may still use is too small, and when the artifact wants an input that is
  // unknown here.
  Result<void> allocate_kv(int64_t num_pages) override;
  void enter_thread() override { pool_->adopt_this_thread(); }
  Result<std::span<float>> run(const StepPlan& plan) override;
  std::span<const float> hidden() const override;

  int64_t kv_bytes_per_page() const;
  // After allocate_kv().
  runtime::PlanExecutor& executor() { return *executor_; }
  // K and V of each layer; after allocate_kv().
  std::vector<runtime::Tensor>& kv() { return kv_; }

 private:
  void fill_rows(std::string_view name, const std::vector<int32_t>& values);
  void fill_rope(const StepPlan& plan);
  void copy_page(const PageCopy& copy);

  std::shared_ptr<const runtime::Module> module_;
  std::shared_ptr<const runtime::ParamStore> params_;
  std::shared_ptr<ThreadPool> pool_;
  const bool profile_;
  const runtime::MachineLimits limits_;
  double memory_share_ = kDefaultMemoryShare;
  int64_t num_pages_ = 0;
  int64_t logits_stride_ = 0;  // floats from one row of logits to the next
  int64_t hidden_rows_ = 0;    // of the last run
  std::vector<runtime::Tensor> kv_;
  std::unique_ptr<runtime::PlanExecutor> executor_;
};

// cos and sin of position * inv_freq[i], times the attention scaling: the angle is a float32 product (what the models
// were trained with), its cosine and sine are exact to float32. cos, sin: [inv_freq.size()].
void rope_row(const artifact::Rope& rope, int32_t position, float* cos, float* sin);

}  // namespace mlc::engine
