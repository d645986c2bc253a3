// Which rows the next step computes. Pure state: no device, no clock, no threads.
//
//   Scheduler s(config);
//   s.add(id, request);
//   while (s.plan(plan)) { … run, sample … ; outputs = s.commit(plan, result); }
//
// Policy: continuous batching, first come first served. A step first gives every sequence that lacks one token its row
// (so a long prompt never stalls the others), then fills the token budget with prompt chunks in order of arrival. When
// pages run out the newest sequence is preempted: its pages are freed and its tokens are computed again later (unless
// its pages are still there), which gives the same output. A sequence alone always fits (the context window is capped
// by the pool).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/request.h"
#include "engine/step.h"

namespace mlc::engine {

struct SchedulerConfig {
  int64_t max_sequences = 8;   // in one step
  int64_t max_rows = 512;      // token rows in one step
  int64_t max_logit_rows = 8;  // logit rows in one step
  int64_t context_window = 0;  // tokens of one sequence
  int64_t num_pages = 0;
  int64_t page_size = 16;
  bool reuse_prefixes = true;  // start from the pages of an earlier sequence that began in the same way
};

// The progress of one request.
struct Sequence {
  RequestId id = 0;
  std::shared_ptr<const Request> request;
  std::vector<int32_t> tokens;  // prompt, then what was generated
  int64_t num_computed = 0;     // tokens whose K and V are in the cache
  int64_t num_scored = 0;       // prompt tokens whose log-probability was delivered
  int64_t num_cached = 0;       // prompt tokens that were never computed: an earlier sequence had them
  int64_t end = 0;              // number of tokens at which it ends for its length
  bool started = false;         // was in a step before
  int64_t planned = 0;          // rows in the step being planned
  BlockTable table;

  int64_t num_tokens() const { return static_cast<int64_t>(tokens.size()); }
  int64_t num_prompt() const { return static_cast<int64_t>(request->prompt.size()); }
  int64_t num_generated() const { return num_tokens() - num_prompt(); }
  int64_t remaining() const { return num_tokens() - num_computed; }
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerConfig& config);

  // The prompt must fit into the context window (checked by the engine before).
  void add(RequestId id, std::shared_ptr<const Request> request);
  // The last output of the request, or nullopt if it is not here. Allowed between plan and commit.
  std::optional<Output> cancel(RequestId id);
  // Ends everything with an error.
  std::vector<Output> fail_all(const std::string& message);

  // Fills `plan`; false if there is nothing to do.
  bool plan(StepPlan& plan);
  // One Output per sequence that has something to tell, in plan order.
  std::vector<Output> commit(const StepPlan& plan, const StepResult& result);

  const Sequence* find(RequestId id) const;
  int64_t num_running() const { return static_cast<int64_t>(running_.size()); }
  int64_t num_waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t num_preemptions() const { return num_preemptions_; }
  const KvCacheManager& kv() const { return kv_; }
  const SchedulerConfig& config() const { return config_; }
  // Aborts if pages are lost, shared or double-counted (tests call it after every step).
  void check_integrity() const;

 private:
  struct Budget {
    int64_t rows = 0, logits = 0;
  };
  int64_t logits_needed(const Sequence& s, int64_t rows) const;
  int64_t chunk_size(const Sequence& s, const Budget& budget) const;
  void schedule(Sequence& s, Budget& budget);
  void preempt_newest(Budget& budget);
  void admit(Budget& budget);
  void attach_prefix(Sequence& s);
  void emit(const Sequence& s, StepPlan& plan) const;
  void commit_chunk(Sequence& s, const Chunk& chunk, Output& out);
  void commit_row(Sequence& s, const LogitRow& row, const RowResult& result, Output& out);
  void finish(Sequence& s, FinishReason reason, Output& out);

  SchedulerConfig config_;
  KvCacheManager kv_;
  std::unordered_map<RequestId, std::unique_ptr<Sequence>> sequences_;
  std::vector<Sequence*> running_;  // in order of arrival; all of them arrived before those that wait
  std::deque<Sequence*> waiting_;   // in order of arrival
  int64_t num_preemptions_ = 0;
};

}  // namespace mlc::engine
