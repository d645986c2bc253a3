// The engine: one thread that runs continuous batching over a paged KV cache.
//
//   MLC_TRY(auto engine, Engine::create(std::move(runner), options));
//   RequestId id = engine->submit(request, [](const Output& o) { … });   // any thread
//   engine->cancel(id);                                                  // any thread; takes effect within one step
//
// Each turn of the loop: drain the inbox; plan = scheduler.plan(); result = runner.run(plan); scheduler.commit(...);
// outputs. A sequence has computed tokens and total tokens; a step lets the first catch up with the second: prefill,
// chunked prefill and decode are one case.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "engine/request.h"

namespace mlc::engine {

class ModelRunner;

struct EngineOptions {
  int64_t max_num_sequence = 8;     // sequences in one step
  int64_t prefill_chunk_size = 0;   // token rows in one step; 0: what the model was compiled for
  int64_t max_total_tokens = 0;     // tokens the KV cache holds; 0: max_num_sequence * context, within memory
  int64_t context_window_size = 0;  // 0: the model's
  bool prefix_cache = true;         // reuse the KV pages of earlier requests that began with the same tokens
};

struct EngineStats {
  int64_t running = 0, waiting = 0;  // sequences
  int64_t kv_pages_total = 0, kv_pages_free = 0;
  int64_t prefill_tokens = 0, decode_tokens = 0;  // computed since the start (or reset)
  int64_t cached_prompt_tokens = 0;               // prompt tokens that the prefix cache saved from being computed
  double prefill_s = 0, decode_s = 0;             // engine time attributed to each
  int64_t finished_requests = 0, cancelled_requests = 0, preemptions = 0, steps = 0;
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> create(std::unique_ptr<ModelRunner> runner, const EngineOptions& options);
  virtual ~Engine() = default;  // cancels what runs, then joins the thread

  // Returns at once. A request that cannot ever run (prompt longer than the context, ids outside the vocabulary) is an
  // error here; `on_output` is then never called.
  virtual Result<RequestId> submit(Request request, OutputCallback on_output) = 0;
  virtual void cancel(RequestId id) = 0;  // unknown or finished ids are ignored
  virtual EngineStats stats() const = 0;
  virtual void reset_stats() = 0;
  virtual int64_t context_window_size() const = 0;  // tokens of one sequence, prompt and output together
  virtual int64_t vocab_size() const = 0;
};

}  // namespace mlc::engine
