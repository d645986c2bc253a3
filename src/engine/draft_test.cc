#include "engine/draft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/draft_model.h"
#include "engine/scheduler_rig.h"

namespace mlc::engine {
namespace {

using namespace test;  // NOLINT

History ngram(const History& text, int64_t most, const NgramOptions& options = {}) {
  Request r;
  r.prompt = text;
  DraftQuery query{1, &r, 0, text, most};
  std::vector<History> drafts(1);
  make_ngram_draft(options)->propose(std::span(&query, 1), drafts);
  return drafts[0];
}

TEST(NgramDraft, ContinuesTheLatestOfTheLongestMatches) {
  EXPECT_EQ(ngram({1, 2, 3, 4, 9, 1, 2}, 3), (History{3, 4, 9}));
  EXPECT_EQ(ngram({1, 2, 3, 7, 1, 2, 4, 7, 1, 2}, 2), (History{4, 7})) << "the latest";
  EXPECT_EQ(ngram({5, 1, 2, 3, 7, 1, 2, 4, 5, 1, 2}, 2), (History{3, 7})) << "the longest";
  EXPECT_EQ(ngram({1, 2, 3, 4}, 3), History{});
  EXPECT_EQ(ngram({1, 3, 2, 3}, 3), History{}) << "one token is no match";
  EXPECT_EQ(ngram({7, 8, 7, 8, 7, 8}, 5), (History{7, 8, 7, 8, 7})) << "past the end, what repeats goes on";
  EXPECT_EQ(ngram({4, 4, 4}, 3), (History{4, 4, 4}));
  EXPECT_EQ(ngram({4}, 3), History{});
  EXPECT_EQ(ngram({6, 6}, 2, {1, 4}), (History{6, 6}));
}

TEST(DraftLength, GrowsWhileRightAndPausesWhenWrong) {
  DraftOptions o;
  o.max_length = 12;
  DraftLength d;
  EXPECT_EQ(d.next(o), 4);
  d.record(4, 4);
  EXPECT_EQ(d.next(o), 8);
  d.record(8, 8);
  EXPECT_EQ(d.next(o), 12);
  d.record(12, 5);
  EXPECT_EQ(d.next(o), 6);
  d.record(6, 0);
  EXPECT_EQ(d.next(o), 0);
  EXPECT_EQ(d.next(o), 3);
  d.record(3, 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(d.next(o), 0);
  EXPECT_EQ(d.next(o), 1);
  for (int i = 0; i < 10; ++i) {  // never for longer than 32 steps
    d.record(1, 0);
    int pause = 0;
    while (d.next(o) == 0) ++pause;
    EXPECT_LE(pause, 32);
  }
  d.record(1, 1);
  EXPECT_EQ(d.next(o), 2);
  o.adaptive = false;
  EXPECT_EQ(d.next(o), 12);
}

SchedulerConfig config_with_drafts() {
  SchedulerConfig c;
  c.max_sequences = 4;
  c.max_rows = 32;
  c.max_logit_rows = 32;
  c.context_window = 96;
  c.num_pages = 64;
  c.page_size = 4;
  c.draft.max_length = 8;
  return c;
}

Request sampled(uint64_t seed) {
  Request r;
  r.prompt = {1, 2, 3, 1, 2};
  r.max_tokens = 3;
  r.sampling.temperature = 0.7f;
  r.sampling.seed = seed;
  return r;
}

// Every pair of the first two tokens of many seeds, against the product of the model's own probabilities.
TEST(SpeculativeDecoding, SamplesTheModelsDistribution) {
  auto config = config_with_drafts();
  config.draft.adaptive = false;
  config.context_window = 16;
  const auto fake = fake_for(config, 6);
  Rig rig(config, fake, make_ngram_draft({1, 3}));
  constexpr int kSeeds = 6000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    rig.add(static_cast<RequestId>(seed + 1), std::make_shared<const Request>(sampled(static_cast<uint64_t>(seed))));
  }
  while (rig.step()) {
  }
  EXPECT_GT(rig.scheduler.draft_counts().accepted, kSeeds / 20);
  EXPECT_GT(rig.scheduler.draft_counts().drafted, rig.scheduler.draft_counts().accepted + kSeeds / 10);
  const Request r = sampled(0);
  const auto probabilities = [&](const History& history) {
    const auto logits = fake_logits(fake, history);
    std::vector<double> p;
    for (float x : logits) p.push_back(std::exp(static_cast<double>(x) / static_cast<double>(r.sampling.temperature)));
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= sum;
    return p;
  };
  std::map<std::pair<int, int>, int> counts;
  for (const auto& [key, tokens] : rig.generated) ++counts[{tokens.at(0), tokens.at(1)}];
  double chi2 = 0;
  int kinds = 0;
  const auto first = probabilities(r.prompt);
  for (int a = 0; a < 6; ++a) {
    History history = r.prompt;
    history.push_back(a);
    const auto second = probabilities(history);
    for (int b = 0; b < 6; ++b) {
      const double expected = kSeeds * first[static_cast<size_t>(a)] * second[static_cast<size_t>(b)];
      if (expected < 5) continue;  // too rare for the statistic
      const double found = counts[{a, b}];
      chi2 += (found - expected) * (found - expected) / expected;
      ++kinds;
    }
  }
  EXPECT_GT(kinds, 10);
  EXPECT_LT(chi2, kinds + 6 * std::sqrt(2.0 * kinds));  // the seeds are fixed: this cannot change from run to run
}

// A copy of the served model as its own draft: every guess is its own next token, sampled ones too.
TEST(ModelDraft, AModelGuessesItself) {
  for (const float temperature : {0.0f, 1.0f}) {
    const auto config = config_with_drafts();
    const auto fake = fake_for(config, 50);
    auto draft = make_model_draft(make_fake_runner(fake), {4, config.context_window, 50});
    ASSERT_TRUE(draft) << draft.error().message;
    Rig rig(config, fake, std::move(*draft));
    int64_t tokens = 0;
    for (RequestId id = 1; id <= 6; ++id) {
      Request r;
      r.prompt = History(static_cast<size_t>(7 * id), static_cast<int32_t>(id));
      r.max_tokens = 40;
      r.num_choices = id == 3 ? 2 : 1;
      r.sampling.temperature = temperature;
      r.sampling.seed = id;
      tokens += r.num_choices * r.max_tokens;
      rig.add(id, std::make_shared<const Request>(r));
    }
    while (rig.step()) {
    }
    for (const auto& [key, got] : rig.generated) {
      EXPECT_EQ(got, Oracle(fake, *rig.requests[key.first], key.second).run(config.context_window).first);
    }
    const DraftCounts& counts = rig.scheduler.draft_counts();
    EXPECT_EQ(counts.accepted, counts.drafted);
    EXPECT_GT(counts.accepted, tokens / 2);
    EXPECT_EQ(counts.accepted_at[0], counts.steps);
  }
}

// A draft model that is often wrong, has a short context, few pages and small steps costs speed only.
TEST(ModelDraft, ABadModelChangesNothing) {
  const auto config = config_with_drafts();
  const auto fake = fake_for(config, 8);
  auto small = fake;
  small.context_window = 40;
  small.max_rows = 8;
  small.max_logit_rows = 2;
  small.max_kv_pages = 11;
  small.next_token = [](const History& h) { return h.size() % 3 == 0 ? static_cast<int32_t>(h.size() % 8) : -1; };
  auto draft = make_model_draft(make_fake_runner(small), {4, config.context_window, 8});
  ASSERT_TRUE(draft) << draft.error().message;
  Rig rig(config, fake, std::move(*draft));
  for (RequestId id = 1; id <= 12; ++id) {
    Request r;
    r.prompt = History(static_cast<size_t>(1 + 4 * (id % 8)), static_cast<int32_t>(id % 8));
    r.max_tokens = 30;
    r.sampling.temperature = id % 2 ? 0.0f : 1.0f;
    r.sampling.seed = id;
    rig.add(id, std::make_shared<const Request>(r));
  }
  while (rig.step()) {
  }
  for (const auto& [key, got] : rig.generated) {
    EXPECT_EQ(got, Oracle(fake, *rig.requests[key.first], key.second).run(config.context_window).first);
  }
  const DraftCounts& counts = rig.scheduler.draft_counts();
  EXPECT_GT(counts.accepted, 0);
  EXPECT_LT(counts.accepted, counts.drafted);
}

TEST(ModelDraft, AFailureEndsTheGuessingOnly) {
  const auto config = config_with_drafts();
  const auto fake = fake_for(config, 50);
  auto broken = fake;
  broken.fail_at_step = 3;
  auto draft = make_model_draft(make_fake_runner(broken), {4, config.context_window, 50});
  ASSERT_TRUE(draft);
  Rig rig(config, fake, std::move(*draft));
  Request r;
  r.prompt = {1, 2, 3};
  r.max_tokens = 20;
  r.sampling.temperature = 0;
  rig.add(1, std::make_shared<const Request>(r));
  while (rig.step()) {
  }
  EXPECT_EQ((rig.generated[{1, 0}]), Oracle(fake, r, 0).run(config.context_window).first);
}

TEST(ModelDraft, RefusesAnotherVocabulary) {
  FakeRunnerOptions fake;
  auto draft = make_model_draft(make_fake_runner(fake), {4, 100, 300});
  ASSERT_FALSE(draft);
  EXPECT_NE(draft.error().message.find("256 tokens, the served model 300"), std::string::npos);
}

}  // namespace
}  // namespace mlc::engine
