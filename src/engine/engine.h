// The engine: one thread that runs continuous batching over a paged KV cache.
//
//   MLC_TRY(auto engine, Engine::create(std::move(runner), options));
//   RequestId id = engine->submit(request, [](const Output& o) { … });   // any thread
//   engine->cancel(id);                                                  // any thread; takes effect within one step
//
// Each turn of the loop: drain the inbox; guesses of a draft source, if there is one; plan = scheduler.plan(); logits =
// runner.run(plan); choose tokens; scheduler.commit(...); outputs. A sequence has computed tokens and total tokens; a
// step lets the first catch up with the second: prefill, chunked prefill and decode are one case.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "engine/draft.h"
#include "engine/event_trace.h"
#include "engine/request.h"

namespace mlc::engine {

class ModelRunner;

struct EngineOptions {
  int64_t max_num_sequence = 8;     // sequences in one step
  int64_t prefill_chunk_size = 0;   // token rows in one step; 0: what the model was compiled for
  int64_t max_total_tokens = 0;     // tokens the KV cache holds; 0: max_num_sequence * context, within memory
  int64_t context_window_size = 0;  // 0: the model's
  bool prefix_cache = true;         // reuse the KV pages of earlier requests that began with the same tokens
  int64_t max_recycled = -1;        // of how many ended sequences the pages are kept for that; -1: while there is room
  bool mix_prefill = true;          // prompt chunks and decodes share steps; false: they take turns
  int64_t draft_length = 0;         // with a draft source: tokens guessed per step, at most 16; 0: as it pays off
  std::shared_ptr<EventTrace> trace;  // where to record what happens to requests; null: nowhere
};

struct EngineStats {
  int64_t running = 0, waiting = 0;  // sequences
  int64_t kv_pages_total = 0, kv_pages_free = 0;
  int64_t prefill_tokens = 0, decode_tokens = 0;  // computed since the start (or reset)
  int64_t prompt_tokens = 0;                      // of requests that began to run: what the prefix cache was asked for
  int64_t cached_prompt_tokens = 0;               // of these, what it saved from being computed
  double prefill_s = 0, decode_s = 0;             // engine time attributed to each
  double draft_s = 0;                             // of it, time spent in guessing
  int64_t finished_requests = 0, cancelled_requests = 0, preemptions = 0, steps = 0;
  DraftCounts drafts;  // speculative decoding
};

class Engine {
 public:
  // drafts: speculative decoding; null: none.
  static Result<std::unique_ptr<Engine>> create(std::unique_ptr<ModelRunner> runner, const EngineOptions& options,
                                                std::unique_ptr<DraftSource> drafts = nullptr);
  virtual ~Engine() = default;  // cancels what runs, then joins the thread

  // Returns at once. A request that cannot ever run (prompt longer than the context, ids outside the vocabulary) is an
  // error here; `on_output` is then never called. Else each of its choices gets outputs, up to a last one.
  virtual Result<RequestId> submit(Request request, OutputCallback on_output) = 0;
  virtual void cancel(RequestId id) = 0;  // unknown or finished ids are ignored
  virtual void cancel(RequestId id, int choice) = 0;
  virtual EngineStats stats() const = 0;
  virtual void reset_stats() = 0;
  // Ends all requests with an error, and forgets the prefix cache and the statistics. Takes effect within one step.
  virtual void reset() = 0;
  virtual std::shared_ptr<const EventTrace> trace() const { return nullptr; }
  virtual int64_t context_window_size() const = 0;  // tokens of one sequence, prompt and output together
  virtual int64_t vocab_size() const = 0;
  virtual int64_t hidden_size() const { return 0; }  // of embeddings; 0: the model gives none
};

}  // namespace mlc::engine
