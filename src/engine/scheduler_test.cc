#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/knobs.h"
#include "engine/fake_runner.h"
#include "engine/sampler.h"

namespace mlc::engine {
namespace {

using History = std::vector<int32_t>;

// Scheduler + fake runner + greedy sampling, without threads.
struct Rig {
  Rig(const SchedulerConfig& config, const FakeRunnerOptions& fake_options)
      : scheduler(config), fake(fake_options), runner(make_fake_runner(fake_options)) {
    EXPECT_TRUE(runner->allocate_kv(config.num_pages));
  }

  // One step; false when idle.
  bool step() {
    scheduler.check_integrity();
    const bool any = scheduler.plan(plan);
    scheduler.check_integrity();
    if (!any) return false;
    EXPECT_LE(plan.num_rows(), scheduler.config().max_rows);
    EXPECT_LE(plan.num_logit_rows(), scheduler.config().max_logit_rows);
    EXPECT_LE(static_cast<int64_t>(plan.chunks.size()), scheduler.config().max_sequences);
    auto logits = runner->run(plan);
    if (!logits) {
      ADD_FAILURE() << logits.error().message;
      return false;
    }
    StepResult result;
    const auto vocab = static_cast<size_t>(fake.vocab_size);
    for (size_t i = 0; i < plan.logits.size(); ++i) {
      const auto row = logits->subspan(i * vocab, vocab);
      RowResult r;
      if (plan.logits[i].samples)
        r.token = Sampler::argmax(row);
      else
        r.logprob = sampler.logprob(row, plan.logits[i].target, 0);
      result.rows.push_back(r);
    }
    for (const Output& out : scheduler.commit(plan, result)) take(out);
    scheduler.check_integrity();
    return true;
  }

  void take(const Output& out) {
    auto& tokens = generated[out.id];
    tokens.insert(tokens.end(), out.tokens.begin(), out.tokens.end());
    auto& scored = prompt_scores[out.id];
    scored.insert(scored.end(), out.prompt_logprobs.begin(), out.prompt_logprobs.end());
    EXPECT_EQ(reasons.count(out.id), 0u) << "an output after the last one";
    if (out.finish_reason != FinishReason::kNone) {
      reasons[out.id] = out.finish_reason;
      EXPECT_EQ(out.completion_tokens, static_cast<int64_t>(tokens.size()));
      cached_tokens += out.cached_prompt_tokens;
    }
  }

  Scheduler scheduler;
  FakeRunnerOptions fake;
  std::unique_ptr<ModelRunner> runner;
  Sampler sampler;
  StepPlan plan;
  std::map<RequestId, History> generated;
  std::map<RequestId, std::vector<TokenLogprob>> prompt_scores;
  std::map<RequestId, FinishReason> reasons;
  int64_t cached_tokens = 0;
};

// Greedy generation straight from the definition.
std::pair<History, FinishReason> oracle(const FakeRunnerOptions& fake, const Request& r, int64_t context) {
  History tokens = r.prompt, out;
  while (static_cast<int64_t>(tokens.size()) < context && static_cast<int64_t>(out.size()) < r.max_tokens) {
    const int32_t next = Sampler::argmax(fake_logits(fake, tokens));
    const bool stops = std::find(r.stop_token_ids.begin(), r.stop_token_ids.end(), next) != r.stop_token_ids.end();
    if (stops && !r.ignore_eos) return {out, FinishReason::kStop};
    tokens.push_back(next);
    out.push_back(next);
  }
  return {out, FinishReason::kLength};
}

std::shared_ptr<const Request> make_request(History prompt, int64_t max_tokens) {
  Request r;
  r.prompt = std::move(prompt);
  r.max_tokens = max_tokens;
  return std::make_shared<const Request>(std::move(r));
}

int property_cases(int fallback) {
  const int64_t n = knob_int("MLC_PROPERTY_CASES");
  return n > 0 ? static_cast<int>(n) : fallback;
}

// Arrivals, lengths, cancels, pool and step sizes at random; every output is compared with the oracle.
struct Coverage {
  int64_t preemptions = 0, cached_tokens = 0, cancelled = 0;
};

void random_history(uint32_t seed, Coverage& coverage) {
  std::mt19937 rng(seed);
  auto below = [&](int64_t n) { return static_cast<int64_t>(rng() % static_cast<uint64_t>(n)); };
  SchedulerConfig config;
  config.page_size = 1 + below(6);
  config.context_window = 2 + below(40);
  config.num_pages = (config.context_window + config.page_size - 1) / config.page_size + below(12);
  config.max_rows = 1 + below(24);
  config.max_logit_rows = 1 + below(8);
  config.max_sequences = 1 + below(8);
  config.reuse_prefixes = below(3) > 0;
  FakeRunnerOptions fake;
  fake.vocab_size = 12;
  fake.context_window = config.context_window;
  fake.max_rows = config.max_rows;
  fake.max_logit_rows = config.max_logit_rows;
  fake.page_size = config.page_size;
  Rig rig(config, fake);
  std::map<RequestId, std::shared_ptr<const Request>> requests;
  std::map<RequestId, bool> cancelled;
  const int64_t total = 1 + below(10);
  RequestId next = 1;
  for (int64_t turn = 0; turn < 5000; ++turn) {
    while (static_cast<int64_t>(next) <= total && below(3) == 0) {
      Request r;
      const int64_t length = 1 + below(config.context_window - 1);
      for (int64_t i = 0; i < length; ++i) r.prompt.push_back(static_cast<int32_t>(below(fake.vocab_size)));
      if (below(2) == 0 && !requests.empty()) {  // begins like an earlier one, or like its conversation so far
        const RequestId earlier = 1 + static_cast<RequestId>(below(static_cast<int64_t>(requests.size())));
        History start = requests[earlier]->prompt;
        if (below(2) == 0) start.insert(start.end(), rig.generated[earlier].begin(), rig.generated[earlier].end());
        const auto shared =
            static_cast<size_t>(below(std::min<int64_t>(length, static_cast<int64_t>(start.size())) + 1));
        std::copy_n(start.begin(), shared, r.prompt.begin());
      }
      if (below(2) == 0) r.max_tokens = below(12);
      if (below(2) == 0) r.stop_token_ids = {0, 5};
      r.ignore_eos = below(4) == 0;
      r.prompt_logprobs = below(4) == 0;
      requests[next] = std::make_shared<const Request>(std::move(r));
      rig.scheduler.add(next, requests[next]);
      ++next;
    }
    if (below(25) == 0) {
      const auto victim = static_cast<RequestId>(1 + below(total + 1));
      if (auto out = rig.scheduler.cancel(victim)) {
        EXPECT_EQ(out->finish_reason, FinishReason::kCancelled);
        cancelled[victim] = true;
        rig.take(*out);
      }
    }
    if (!rig.step() && static_cast<int64_t>(next) > total) break;
    if (::testing::Test::HasFailure()) return;
  }
  ASSERT_EQ(rig.reasons.size(), requests.size()) << "a request never ended";
  coverage.preemptions += rig.scheduler.num_preemptions();
  coverage.cached_tokens += rig.cached_tokens;
  coverage.cancelled += static_cast<int64_t>(cancelled.size());
  EXPECT_EQ(rig.scheduler.kv().num_free(), config.num_pages);
  for (const auto& [id, request] : requests) {
    const auto [expected, reason] = oracle(fake, *request, config.context_window);
    const History& got = rig.generated[id];
    if (cancelled[id]) {
      ASSERT_LE(got.size(), expected.size());
      EXPECT_TRUE(std::equal(got.begin(), got.end(), expected.begin()));
      continue;
    }
    EXPECT_EQ(got, expected) << "request " << id;
    EXPECT_EQ(rig.reasons[id], reason);
    const auto& scores = rig.prompt_scores[id];
    ASSERT_EQ(scores.size(), request->prompt_logprobs ? request->prompt.size() - 1 : 0);
    for (size_t i = 0; i < scores.size(); ++i) {
      EXPECT_EQ(scores[i].token, request->prompt[i + 1]);
      const History before(request->prompt.begin(), request->prompt.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      EXPECT_EQ(scores[i].logprob, rig.sampler.logprob(fake_logits(fake, before), request->prompt[i + 1], 0).logprob);
    }
  }
}

TEST(Scheduler, RandomHistories) {
  const int cases = property_cases(2000);
  Coverage coverage;
  for (int seed = 0; seed < cases; ++seed) {
    random_history(static_cast<uint32_t>(seed), coverage);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  // The histories reach what they are there to test.
  EXPECT_GT(coverage.preemptions, cases / 20);
  EXPECT_GT(coverage.cached_tokens, cases / 2);
  EXPECT_GT(coverage.cancelled, cases / 20);
}

SchedulerConfig small_config() {
  SchedulerConfig c;
  c.max_sequences = 4;
  c.max_rows = 8;
  c.max_logit_rows = 4;
  c.context_window = 32;
  c.num_pages = 64;
  c.page_size = 4;
  return c;
}

FakeRunnerOptions fake_for(const SchedulerConfig& c) {
  FakeRunnerOptions f;
  f.vocab_size = 20;
  f.context_window = c.context_window;
  f.max_rows = c.max_rows;
  f.max_logit_rows = c.max_logit_rows;
  f.page_size = c.page_size;
  return f;
}

TEST(Scheduler, MixesDecodesWithPromptChunks) {
  const auto config = small_config();
  Rig rig(config, fake_for(config));
  rig.scheduler.add(1, make_request({1, 2, 3}, 20));
  ASSERT_TRUE(rig.step());
  rig.scheduler.add(2, make_request(History(20, 7), 4));
  ASSERT_TRUE(rig.step());
  // The sequence that decodes keeps its row; the rest of the step is the new prompt.
  ASSERT_EQ(rig.plan.chunks.size(), 2u);
  EXPECT_EQ(rig.plan.chunks[0].id, 1u);
  EXPECT_TRUE(rig.plan.chunks[0].decodes);
  EXPECT_EQ(rig.plan.chunks[1].num_rows, 7);
  EXPECT_EQ(rig.plan.num_logit_rows(), 1);
}

TEST(Scheduler, PreemptsTheNewestAndRecomputes) {
  auto config = small_config();
  config.context_window = 24;
  config.num_pages = 8;  // 32 tokens: two sequences of 20 do not fit together
  Rig rig(config, fake_for(config));
  const auto a = make_request({1, 2, 3, 4}, 16), b = make_request({5, 6, 7}, 16);
  rig.scheduler.add(1, a);
  rig.scheduler.add(2, b);
  while (rig.step()) {
  }
  EXPECT_GT(rig.scheduler.num_preemptions(), 0);
  EXPECT_EQ(rig.generated[1], oracle(rig.fake, *a, 24).first);
  EXPECT_EQ(rig.generated[2], oracle(rig.fake, *b, 24).first);
}

TEST(Scheduler, AConversationStartsFromItsEarlierPages) {
  const auto config = small_config();  // pages of 4 tokens
  Rig rig(config, fake_for(config));
  rig.scheduler.add(1, make_request({1, 2, 3, 4, 5, 6}, 5));
  while (rig.step()) {
  }
  History next = {1, 2, 3, 4, 5, 6};
  next.insert(next.end(), rig.generated[1].begin(), rig.generated[1].end());  // 11 tokens, 10 of them computed
  next.push_back(9);
  const auto request = make_request(next, 3);
  rig.scheduler.add(2, request);
  ASSERT_TRUE(rig.step());
  EXPECT_EQ(rig.plan.positions.front(), 8);
  EXPECT_EQ(rig.plan.num_rows(), 4);
  while (rig.step()) {
  }
  EXPECT_EQ(rig.generated[2], oracle(rig.fake, *request, config.context_window).first);
  // The same prompt once more: the last token is always computed, for its logits.
  rig.scheduler.add(3, make_request({1, 2, 3, 4}, 2));
  ASSERT_TRUE(rig.step());
  EXPECT_EQ(rig.plan.num_rows(), 4);
}

TEST(Scheduler, ZeroTokensScoresThePrompt) {
  const auto config = small_config();
  Rig rig(config, fake_for(config));
  Request r;
  r.prompt = History(32, 3);  // as long as the context
  r.max_tokens = 0;
  r.prompt_logprobs = true;
  rig.scheduler.add(9, std::make_shared<const Request>(r));
  while (rig.step()) {
  }
  EXPECT_EQ(rig.reasons[9], FinishReason::kLength);
  EXPECT_EQ(rig.prompt_scores[9].size(), 31u);
  EXPECT_TRUE(rig.generated[9].empty());
}

TEST(Scheduler, FailAllFreesEverything) {
  const auto config = small_config();
  Rig rig(config, fake_for(config));
  for (RequestId id = 1; id <= 6; ++id) rig.scheduler.add(id, make_request({1, 2, 3}, 20));
  ASSERT_TRUE(rig.step());
  const auto outputs = rig.scheduler.fail_all("the device is gone");
  EXPECT_EQ(outputs.size(), 6u);
  for (const Output& out : outputs) {
    EXPECT_EQ(out.finish_reason, FinishReason::kError);
    EXPECT_EQ(out.error, "the device is gone");
  }
  EXPECT_EQ(rig.scheduler.kv().num_free(), config.num_pages);
  EXPECT_FALSE(rig.step());
}

// The fake runner must notice what it is there to notice.
TEST(FakeRunner, NoticesWrongTables) {
  FakeRunnerOptions options;
  options.page_size = 4;
  auto runner = make_fake_runner(options);
  ASSERT_TRUE(runner->allocate_kv(8));
  StepPlan plan;
  plan.token_ids = {1, 2, 3};
  plan.positions = {0, 1, 2};
  plan.slots = {8, 9, 10};
  plan.table_start = {0, 0, 0};
  plan.block_tables = {2};
  plan.logit_rows = {2};
  plan.logits = {{1, true, -1}};
  auto logits = runner->run(plan);
  ASSERT_TRUE(logits) << logits.error().message;
  EXPECT_EQ(std::vector<float>(logits->begin(), logits->end()), fake_logits(options, {1, 2, 3}));
  auto wrong_slot = plan;
  wrong_slot.slots[1] = 5;
  EXPECT_FALSE(runner->run(wrong_slot));
  auto other_page = plan;  // continues at position 3 on a page that holds nothing
  other_page.token_ids = {4};
  other_page.positions = {3};
  other_page.slots = {31};
  other_page.table_start = {0};
  other_page.block_tables = {7};
  other_page.logit_rows = {0};
  EXPECT_FALSE(runner->run(other_page));
  auto twice = plan;
  twice.positions = {0, 1, 1};
  twice.slots = {8, 9, 9};
  EXPECT_FALSE(runner->run(twice));
}

}  // namespace
}  // namespace mlc::engine
