// A model whose steps are driven directly, without an engine around them.
//
//   MLC_TRY(auto runner, Runner::create(spec));
//   for (const Phase& p : runner->phases()) { MLC_TRY(double seconds, runner->run(p)); … }
#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "engine/cpu_runner.h"
#include "engine/step.h"
#include "tools/bench/spec.h"

namespace mlc::tools::bench {

class Runner {
 public:
  // Compiles and loads the model of the spec, with a KV cache for its largest phase. Fails when a phase does not fit
  // the model's context or step.
  static Result<std::unique_ptr<Runner>> create(const Spec& spec);

  const std::vector<Phase>& phases() const { return phases_; }
  // Seconds that the phase takes. Prefill: in chunks, with logits of the last row. Decode: steps of a row and its
  // logits for each sequence.
  Result<double> run(const Phase& phase);

  const artifact::Artifact& artifact() const { return module_->artifact(); }
  ThreadPool& pool() { return *pool_; }

 private:
  Runner() = default;
  Result<void> load(const Spec& spec);
  Result<void> check_phases() const;
  void add_row(int64_t sequence, int64_t first_page, int64_t table, int64_t position, bool logits);

  std::vector<Phase> phases_;
  std::shared_ptr<ThreadPool> pool_;
  std::shared_ptr<const runtime::Module> module_;
  std::unique_ptr<engine::CpuModelRunner> runner_;
  engine::StepPlan plan_;
};

}  // namespace mlc::tools::bench
