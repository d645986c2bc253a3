// Which rows the next step computes. Pure state: no device, no clock, no threads.
//
//   Scheduler s(config);
//   s.add(id, request);
//   while (true) {
//     for (const DraftQuery& q : s.draft_queries()) s.set_draft(q.id, …);     // if there is a draft source
//     if (!s.plan(plan)) break;
//     … run, choose tokens … ;
//     outputs = s.commit(plan, result);
//   }
//
// Policy: continuous batching; lower `priority` first, then first come, first served. A step first gives every sequence
// that lacks one token its row (so a long prompt never stalls the others), then fills the token budget with prompt
// chunks in that order, then with guessed tokens. When pages run out the last sequence in that order is preempted: its
// pages are freed and its tokens are computed again later (unless its pages are still there), which gives the same
// output. A sequence alone always fits (the context window is capped by the pool). A request with several choices is
// one sequence until its prompt is computed; then it forks, and the choices share its pages until they write to them.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/draft.h"
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
  int64_t max_recycled = -1;   // of how many ended sequences the pages are kept for that; -1: no limit
  bool mix_prefill = true;     // prompt chunks and decodes in one step; false: in turns
  DraftOptions draft;          // guessing
};

// The progress of one choice of a request (of all its choices, until its prompt is computed).
struct Sequence {
  SequenceId id = 0;
  RequestId request_id = 0;
  int choice = 0;
  std::vector<int> forks;  // the other choices, which part from this one at the first token
  uint64_t arrival = 0;
  std::shared_ptr<const Request> request;
  std::vector<int32_t> tokens;  // prompt, then what was generated
  int64_t num_computed = 0;     // tokens whose K and V are in the cache
  int64_t num_scored = 0;       // prompt tokens whose log-probability was delivered
  int64_t num_cached = 0;       // prompt tokens that were never computed: an earlier sequence had them
  int64_t end = 0;              // number of tokens at which it ends for its length
  bool started = false;         // was in a step before
  int64_t planned = 0;          // rows in the step being planned
  int64_t planned_drafts = 0;   // of them, the last: guesses
  std::vector<int32_t> draft;   // guessed to follow `tokens`; lives for one plan()
  DraftLength draft_length;
  BlockTable table;

  int64_t num_tokens() const { return static_cast<int64_t>(tokens.size()); }
  int64_t num_prompt() const { return static_cast<int64_t>(request->prompt.size()); }
  int64_t num_generated() const { return num_tokens() - num_prompt(); }
  int64_t remaining() const { return num_tokens() - num_computed; }
  int64_t num_choices() const { return 1 + static_cast<int64_t>(forks.size()); }
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerConfig& config);

  // The prompt must fit into the context window (checked by the engine before).
  void add(RequestId id, std::shared_ptr<const Request> request);
  // The last outputs of the request's choices that have not ended (allowed between plan and commit), or of one of them
  // (not allowed there).
  std::vector<Output> cancel(RequestId id);
  std::vector<Output> cancel(RequestId id, int choice);
  // Ends everything with an error.
  std::vector<Output> fail_all(const std::string& message);

  // Sequences that can use guesses in the next step; valid until the next change. Each may be answered by set_draft(),
  // with no more tokens than asked for.
  const std::vector<DraftQuery>& draft_queries();
  void set_draft(SequenceId id, std::vector<int32_t> tokens);

  // Fills `plan`; false if there is nothing to do.
  bool plan(StepPlan& plan);
  // One Output per choice that has something to tell, in plan order.
  std::vector<Output> commit(const StepPlan& plan, const StepResult& result);

  const Sequence* find(SequenceId id) const;
  // The sequences that ended since the last call.
  std::vector<SequenceId> take_ended() { return std::exchange(ended_, {}); }
  int64_t num_running() const { return static_cast<int64_t>(running_.size()); }
  int64_t num_waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t num_preemptions() const { return num_preemptions_; }
  // Prompt tokens of requests that began to run, and how many of them the prefix cache had.
  int64_t num_prompt_tokens() const { return num_prompt_tokens_; }
  int64_t num_cached_tokens() const { return num_cached_tokens_; }
  const DraftCounts& draft_counts() const { return draft_counts_; }
  const KvCacheManager& kv() const { return kv_; }
  const SchedulerConfig& config() const { return config_; }
  // Aborts if pages are lost, shared or double-counted (tests call it after every step).
  void check_integrity() const;

 private:
  struct Budget {
    int64_t rows = 0, logits = 0;
  };
  // The order in which sequences are served.
  struct Before {
    bool operator()(const Sequence* a, const Sequence* b) const;
  };
  Sequence& new_sequence(RequestId id, std::shared_ptr<const Request> request, int choice, uint64_t arrival);
  int64_t logits_needed(const Sequence& s, int64_t rows) const;
  int64_t chunk_size(const Sequence& s, const Budget& budget) const;
  int64_t pages_owed(const Sequence& s) const;
  int64_t slots_taken() const;
  void run_now(Sequence& s);
  void preempt_last(Budget& budget);
  void schedule(Sequence& s, Budget& budget);
  bool schedule_decodes(Budget& budget);
  bool schedule_prompts(Budget& budget);
  void admit(Budget& budget);
  void attach_prefix(Sequence& s);
  Budget reserve_for_drafts(const Budget& budget) const;
  void schedule_drafts(Budget& budget);
  void emit(const Sequence& s, StepPlan& plan) const;

  FinishReason take(Sequence& s, const RowResult& result, Output& out);
  void commit_chunk(Sequence& s, const Chunk& chunk, std::span<const LogitRow> rows, std::span<const RowResult> results,
                    std::vector<Output>& outputs);
  void fork(Sequence& s, const std::vector<RowResult::Fork>& forks, std::vector<Output>& outputs);
  void describe(const Sequence& s, FinishReason reason, Output& out) const;
  void finish(Sequence& s, FinishReason reason, Output& out);
  void finish_all(Sequence& s, FinishReason reason, const std::string& message, std::vector<Output>& outputs);

  SchedulerConfig config_;
  KvCacheManager kv_;
  std::unordered_map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::unordered_map<RequestId, std::vector<Sequence*>> by_request_;
  std::vector<Sequence*> running_;  // in order
  std::set<Sequence*, Before> waiting_;
  std::vector<PageCopy> copies_;  // of the step being planned
  std::vector<DraftQuery> queries_;
  std::vector<SequenceId> ended_;
  SequenceId next_sequence_ = 1;
  uint64_t num_arrivals_ = 0;
  bool last_prefilled_ = false;                           // without mix_prefill: whose turn it was
  int64_t num_preemptions_ = 0, preemptions_before_ = 0;  // all; those before the step being planned
  int64_t num_prompt_tokens_ = 0, num_cached_tokens_ = 0;
  DraftCounts draft_counts_;
};

}  // namespace mlc::engine
