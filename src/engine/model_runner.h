// Computes the logits of a step. CpuModelRunner (cpu_runner.h) runs a compiled model, FakeRunner (fake_runner.h) a
// made-up one for tests.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "engine/step.h"

namespace mlc::engine {

struct RunnerLimits {
  int64_t vocab_size = 0;
  int64_t context_window = 0;  // tokens of one sequence
  int64_t max_rows = 0;        // token rows of one step
  int64_t max_logit_rows = 0;  // logit rows of one step
  int64_t page_size = 16;      // tokens per KV page
  int64_t max_kv_pages = 0;    // pages for which there is memory
  int64_t hidden_size = 0;     // 0: gives no hidden states
  // How max_kv_pages was found, to be told at the start; 0: made up.
  int64_t kv_bytes_per_page = 0, available_bytes = 0, allowed_bytes = 0;
};

class ModelRunner {
 public:
  virtual ~ModelRunner() = default;
  virtual RunnerLimits limits() const = 0;
  // Called once, before run(). kUnavailable if there is no memory for that many pages.
  virtual Result<void> allocate_kv(int64_t num_pages) = 0;
  // Called by the thread that calls run() from then on and does nothing else: it may be moved to other cores.
  virtual void enter_thread() {}
  // [R, vocab_size] f32, row by row; valid (and the caller's to change) until the next call.
  virtual Result<std::span<float>> run(const StepPlan& plan) = 0;
  // [R, hidden_size] f32: the final hidden state of each logit row of the last run(), for embeddings. Empty when the
  // model gives none.
  virtual std::span<const float> hidden() const { return {}; }
};

}  // namespace mlc::engine
