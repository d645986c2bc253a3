// For tests: a scheduler with a fake runner and real sampling, without threads; and what each request must answer,
// straight from the definition.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/draft.h"
#include "engine/fake_runner.h"
#include "engine/logits_processor.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/token_chooser.h"

namespace mlc::engine::test {

using History = std::vector<int32_t>;
using ChoiceKey = std::pair<RequestId, int>;

// One choice of a request, token by token, alone in the world.
class Oracle {
 public:
  Oracle(const FakeRunnerOptions& fake, const Request& request, int choice)
      : fake_(fake), request_(request), sampling_(request.sampling), processors_(make_logits_processors(request)) {
    sampling_.seed += static_cast<uint64_t>(choice);
    tokens_ = request.prompt;
  }
  int32_t next() {
    auto logits = fake_logits(fake_, tokens_);
    for (auto& p : processors_) p->apply(logits);
    const int32_t token = sampler_.sample(logits, sampling_, tokens_.size() - request_.prompt.size());
    accept(token);
    return token;
  }
  void accept(int32_t token) {
    for (auto& p : processors_) p->accept(token);
    tokens_.push_back(token);
  }
  std::pair<History, FinishReason> run(int64_t context) {
    History out;
    while (static_cast<int64_t>(tokens_.size()) < context && static_cast<int64_t>(out.size()) < request_.max_tokens) {
      const int32_t token = next();
      const auto& stops = request_.stop_token_ids;
      const bool stops_here = std::find(stops.begin(), stops.end(), token) != stops.end();
      if (stops_here && !request_.ignore_eos) return {out, FinishReason::kStop};
      out.push_back(token);
    }
    return {out, FinishReason::kLength};
  }

 private:
  const FakeRunnerOptions& fake_;
  const Request& request_;
  SamplingParams sampling_;
  std::vector<std::unique_ptr<LogitsProcessor>> processors_;
  History tokens_;
  Sampler sampler_;
};

struct Rig {
  Rig(const SchedulerConfig& config, const FakeRunnerOptions& fake_options,
      std::unique_ptr<DraftSource> draft_source = {})
      : scheduler(config), fake(fake_options), runner(make_fake_runner(fake_options)), source(std::move(draft_source)) {
    EXPECT_TRUE(runner->allocate_kv(config.num_pages));
  }

  void add(RequestId id, std::shared_ptr<const Request> request) {
    requests[id] = request;
    scheduler.add(id, std::move(request));
  }
  void cancel(RequestId id) { take_all(scheduler.cancel(id)); }
  void cancel(RequestId id, int choice) { take_all(scheduler.cancel(id, choice)); }

  // One step; false when idle.
  bool step() {
    scheduler.check_integrity();
    if (source) guess();
    const bool any = scheduler.plan(plan);
    scheduler.check_integrity();
    if (!any) return false;
    check_plan();
    auto logits = runner->run(plan);
    if (!logits) {
      ADD_FAILURE() << logits.error().message;
      return false;
    }
    const StepResult result = chooser.choose(plan, *logits, scheduler);
    take_all(scheduler.commit(plan, result));
    scheduler.check_integrity();
    for (const SequenceId id : scheduler.take_ended()) {
      if (source) source->forget(id);
    }
    return true;
  }

  void guess() {
    const auto& queries = scheduler.draft_queries();
    std::vector<History> drafts(queries.size());
    if (!queries.empty()) source->propose(queries, drafts);
    for (size_t i = 0; i < queries.size(); ++i) {
      EXPECT_LE(static_cast<int64_t>(drafts[i].size()), queries[i].max_tokens);
      scheduler.set_draft(queries[i].id, std::move(drafts[i]));
    }
  }

  // Within the limits; every row writes to a page that nobody else has; no stream waits for a prompt.
  void check_plan() {
    const SchedulerConfig& c = scheduler.config();
    EXPECT_LE(plan.num_rows(), c.max_rows);
    EXPECT_LE(plan.num_logit_rows(), c.max_logit_rows);
    EXPECT_LE(static_cast<int64_t>(plan.chunks.size()), c.max_sequences);
    std::set<SequenceId> planned;
    for (const Chunk& chunk : plan.chunks) EXPECT_TRUE(planned.insert(chunk.id).second);
    for (const int32_t slot : plan.slots) {
      EXPECT_EQ(scheduler.kv().pool().num_holders(static_cast<PageId>(slot / c.page_size)), 1);
    }
    for (SequenceId id = 1; id <= last_sequence; ++id) {
      const Sequence* s = scheduler.find(id);
      const bool streams = s && s->remaining() == 1 && s->num_generated() > 0;
      int& waited = waits[id];
      waited = streams && planned.count(id) == 0 ? waited + 1 : 0;
      EXPECT_LE(waited, c.mix_prefill ? 0 : 1) << "a stream waits for a prompt";
    }
    for (const SequenceId id : planned) last_sequence = std::max(last_sequence, id);
  }

  void take_all(const std::vector<Output>& outputs) {
    for (const Output& out : outputs) take(out);
  }

  void take(const Output& out) {
    const ChoiceKey key{out.id, out.choice};
    auto& tokens = generated[key];
    tokens.insert(tokens.end(), out.tokens.begin(), out.tokens.end());
    auto& scored = prompt_scores[out.id];
    scored.insert(scored.end(), out.prompt_logprobs.begin(), out.prompt_logprobs.end());
    EXPECT_EQ(reasons.count(key), 0u) << "an output after the last one";
    if (out.finish_reason == FinishReason::kNone) return;
    reasons[key] = out.finish_reason;
    EXPECT_EQ(out.completion_tokens, static_cast<int64_t>(tokens.size()));
    chooser.forget(out.id, out.choice);
  }

  Scheduler scheduler;
  FakeRunnerOptions fake;
  std::unique_ptr<ModelRunner> runner;
  std::unique_ptr<DraftSource> source;
  TokenChooser chooser;
  StepPlan plan;
  SequenceId last_sequence = 0;
  std::map<SequenceId, int> waits;
  std::map<RequestId, std::shared_ptr<const Request>> requests;
  std::map<ChoiceKey, History> generated;
  std::map<RequestId, std::vector<TokenLogprob>> prompt_scores;
  std::map<ChoiceKey, FinishReason> reasons;
};

inline FakeRunnerOptions fake_for(const SchedulerConfig& c, int64_t vocab) {
  FakeRunnerOptions f;
  f.vocab_size = vocab;
  f.context_window = c.context_window;
  f.max_rows = c.max_rows;
  f.max_logit_rows = c.max_logit_rows;
  f.page_size = c.page_size;
  return f;
}

}  // namespace mlc::engine::test
