// Random request streams through the scheduler: arrivals, lengths, choices, priorities, salts, cancels, pools, step
// sizes and guesses, with an integrity check after each step and every answer compared with that of the request alone.
#include <gtest/gtest.h>

#include <random>

#include "base/knobs.h"
#include "engine/scheduler_rig.h"

namespace mlc::engine {
namespace {

using namespace test;  // NOLINT

// Guesses what the request will answer, mostly rightly.
class GoodGuesses : public DraftSource {
 public:
  GoodGuesses(const FakeRunnerOptions& fake, uint32_t seed) : fake_(fake), rng_(seed) {}
  void propose(std::span<const DraftQuery> queries, std::span<History> drafts) override {
    for (size_t i = 0; i < queries.size(); ++i) {
      const DraftQuery& q = queries[i];
      Oracle oracle(fake_, *q.request, q.choice);
      for (size_t k = q.request->prompt.size(); k < q.tokens.size(); ++k) oracle.accept(q.tokens[k]);
      const auto n = static_cast<int64_t>(rng_() % static_cast<uint64_t>(q.max_tokens + 1));
      for (int64_t k = 0; k < n; ++k) {
        const int32_t token = oracle.next();
        const bool wrong = rng_() % 5 == 0;
        drafts[i].push_back(wrong ? static_cast<int32_t>(rng_() % static_cast<uint64_t>(fake_.vocab_size)) : token);
      }
    }
  }

 private:
  const FakeRunnerOptions& fake_;
  std::mt19937 rng_;
};

struct Coverage {
  int64_t preemptions = 0, cached_tokens = 0, cancelled = 0, copies = 0, pinned = 0, overtakes = 0;
  DraftCounts drafts;
};

class RandomHistory {
 public:
  explicit RandomHistory(uint32_t seed) : rng_(seed), config_(random_config()), fake_(fake_for(config_, 12)) {
    std::unique_ptr<DraftSource> source;
    if (config_.draft.max_length > 0) {
      if (chance(3))
        source = make_ngram_draft({1 + below(2), 2 + below(3)});
      else
        source = std::make_unique<GoodGuesses>(fake_, seed);
    }
    rig_ = std::make_unique<Rig>(config_, fake_, std::move(source));
  }

  void run(Coverage& coverage) {
    const auto total = static_cast<RequestId>(1 + below(10));
    for (int64_t turn = 0; turn < 5000; ++turn) {
      while (next_ <= total && chance(3)) add();
      if (chance(25)) cancel(total);
      const bool worked = rig_->step();
      coverage.copies += static_cast<int64_t>(rig_->plan.copies.size());
      if (!worked && next_ > total) break;
      if (::testing::Test::HasFailure()) return;
    }
    check_answers();
    const Scheduler& s = rig_->scheduler;
    coverage.preemptions += s.num_preemptions();
    coverage.cached_tokens += s.num_cached_tokens();
    coverage.cancelled += static_cast<int64_t>(cancelled_.size());
    coverage.pinned += s.kv().num_pinned();
    coverage.drafts.drafted += s.draft_counts().drafted;
    coverage.drafts.accepted += s.draft_counts().accepted;
  }

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(rng_() % static_cast<uint64_t>(n)); }
  bool chance(int64_t n) { return below(n) == 0; }

  SchedulerConfig random_config() {
    SchedulerConfig c;
    c.page_size = 1 + below(6);
    c.context_window = 2 + below(40);
    c.num_pages = (c.context_window + c.page_size - 1) / c.page_size + below(12);
    c.max_rows = 1 + below(24);
    c.max_logit_rows = 1 + below(8);
    c.max_sequences = 1 + below(8);
    c.reuse_prefixes = !chance(3);
    c.max_recycled = chance(3) ? below(4) : -1;
    c.mix_prefill = !chance(4);
    c.draft.max_length = chance(2) ? 1 + below(6) : 0;
    c.draft.adaptive = chance(2);
    c.draft.max_rows = 1 + below(16);
    return c;
  }

  Request random_request() {
    Request r;
    const int64_t length = 1 + below(config_.context_window - 1);
    for (int64_t i = 0; i < length; ++i) r.prompt.push_back(static_cast<int32_t>(below(fake_.vocab_size)));
    if (chance(2) && next_ > 1) {  // begins like an earlier one, or like its conversation so far
      const auto earlier = static_cast<RequestId>(1 + below(static_cast<int64_t>(next_) - 1));
      History start = rig_->requests[earlier]->prompt;
      const History& answer = rig_->generated[{earlier, 0}];
      if (chance(2)) start.insert(start.end(), answer.begin(), answer.end());
      const int64_t most = std::min<int64_t>(length, static_cast<int64_t>(start.size()));
      std::copy_n(start.begin(), static_cast<size_t>(below(most + 1)), r.prompt.begin());
    }
    if (chance(2)) r.max_tokens = below(12);
    if (chance(2)) r.stop_token_ids = {0, 5};
    if (chance(3)) r.min_tokens = below(6);
    r.ignore_eos = chance(4);
    r.prompt_logprobs = chance(4);
    if (chance(3)) r.num_choices = static_cast<int>(2 + below(4));
    if (chance(3)) r.priority = static_cast<int>(below(3)) - 1;
    if (chance(4)) r.cache_salt = chance(2) ? "a" : "b";
    if (chance(8)) r.pin_tokens = below(length + 1);
    r.sampling.seed = rng_();
    r.sampling.temperature = chance(2) ? 0.0f : 0.5f;
    if (chance(3)) r.sampling.frequency_penalty = 0.7f;
    if (chance(3)) r.sampling.top_k = 3;
    return r;
  }

  void add() {
    rig_->add(next_, std::make_shared<const Request>(random_request()));
    ++next_;
  }

  void cancel(RequestId total) {
    const auto victim = static_cast<RequestId>(1 + below(static_cast<int64_t>(total) + 1));
    const auto before = rig_->reasons;
    if (chance(2))
      rig_->cancel(victim);
    else
      rig_->cancel(victim, static_cast<int>(below(4)));
    for (const auto& [key, reason] : rig_->reasons) {
      if (before.count(key) > 0) continue;
      EXPECT_EQ(reason, FinishReason::kCancelled);
      EXPECT_EQ(key.first, victim);
      cancelled_.insert(key);
    }
  }

  void check_answers() {
    EXPECT_EQ(rig_->scheduler.kv().num_free() + rig_->scheduler.kv().num_pinned(), config_.num_pages);
    EXPECT_EQ(rig_->chooser.size(), 0u);
    for (const auto& [id, request] : rig_->requests) {
      for (int choice = 0; choice < request->num_choices; ++choice) check_choice(id, *request, choice);
      check_scores(id, *request);
    }
  }

  void check_choice(RequestId id, const Request& request, int choice) {
    const ChoiceKey key{id, choice};
    ASSERT_EQ(rig_->reasons.count(key), 1u) << "choice " << choice << " of request " << id << " never ended";
    const auto [expected, reason] = Oracle(fake_, request, choice).run(config_.context_window);
    const History& got = rig_->generated[key];
    if (cancelled_.count(key) > 0) {
      ASSERT_LE(got.size(), expected.size());
      EXPECT_TRUE(std::equal(got.begin(), got.end(), expected.begin()));
      return;
    }
    EXPECT_EQ(got, expected) << "choice " << choice << " of request " << id;
    EXPECT_EQ(rig_->reasons[key], reason);
  }

  void check_scores(RequestId id, const Request& request) {
    const auto& scores = rig_->prompt_scores[id];
    bool whole = true;
    for (int choice = 0; choice < request.num_choices; ++choice) whole &= cancelled_.count({id, choice}) == 0;
    const size_t expected = request.prompt_logprobs ? request.prompt.size() - 1 : 0;
    if (whole) {
      ASSERT_EQ(scores.size(), expected);
    }
    ASSERT_LE(scores.size(), expected);
    Sampler sampler;
    History before;
    for (size_t i = 0; i < scores.size(); ++i) {
      before.push_back(request.prompt[i]);
      EXPECT_EQ(scores[i].token, request.prompt[i + 1]);
      EXPECT_EQ(scores[i].logprob, sampler.logprob(fake_logits(fake_, before), request.prompt[i + 1], 0).logprob);
    }
  }

  std::mt19937 rng_;
  SchedulerConfig config_;
  FakeRunnerOptions fake_;
  std::unique_ptr<Rig> rig_;
  std::set<ChoiceKey> cancelled_;
  RequestId next_ = 1;
};

TEST(Scheduler, RandomHistories) {
  const int64_t wanted = knob_int("MLC_PROPERTY_CASES");
  const int64_t cases = wanted > 0 ? wanted : 10000;
  Coverage coverage;
  for (int64_t seed = 0; seed < cases; ++seed) {
    RandomHistory(static_cast<uint32_t>(seed)).run(coverage);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  // The histories reach what they are there to test.
  EXPECT_GT(coverage.preemptions, cases / 20);
  EXPECT_GT(coverage.cached_tokens, cases / 2);
  EXPECT_GT(coverage.cancelled, cases / 20);
  EXPECT_GT(coverage.copies, cases / 5);
  EXPECT_GT(coverage.pinned, cases / 100);
  EXPECT_GT(coverage.drafts.accepted, cases);
  EXPECT_GT(coverage.drafts.drafted, coverage.drafts.accepted + cases / 10);
}

}  // namespace
}  // namespace mlc::engine
