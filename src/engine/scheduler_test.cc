#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include "engine/scheduler_rig.h"

namespace mlc::engine {
namespace {

using namespace test;  // NOLINT

std::shared_ptr<const Request> share(Request r) { return std::make_shared<const Request>(std::move(r)); }

std::shared_ptr<const Request> make_request(History prompt, int64_t max_tokens, int choices = 1) {
  Request r;
  r.prompt = std::move(prompt);
  r.max_tokens = max_tokens;
  r.num_choices = choices;
  r.sampling.temperature = choices > 1 ? 1.0f : 0.0f;
  return share(std::move(r));
}

// Runs until nothing is left, and compares every answer with that of the request alone.
void finish(Rig& rig) {
  while (rig.step()) {
  }
  for (const auto& [id, request] : rig.requests) {
    for (int choice = 0; choice < request->num_choices; ++choice) {
      EXPECT_EQ(rig.generated[ChoiceKey(id, choice)],
                Oracle(rig.fake, *request, choice).run(rig.scheduler.config().context_window).first)
          << id << " " << choice;
    }
  }
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

TEST(Scheduler, MixesDecodesWithPromptChunks) {
  const auto config = small_config();
  Rig rig(config, fake_for(config, 20));
  rig.add(1, make_request({1, 2, 3}, 20));
  ASSERT_TRUE(rig.step());
  rig.add(2, make_request(History(20, 7), 4));
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
  Rig rig(config, fake_for(config, 20));
  rig.add(1, make_request({1, 2, 3, 4}, 16));
  rig.add(2, make_request({5, 6, 7}, 16));
  finish(rig);
  EXPECT_GT(rig.scheduler.num_preemptions(), 0);
}

TEST(Scheduler, LowerPriorityValuesGoFirst) {
  auto config = small_config();
  config.max_sequences = 1;
  Rig rig(config, fake_for(config, 20));
  std::vector<RequestId> order;
  for (const auto& [id, priority] : {std::pair{1, 0}, {2, 5}, {3, 0}, {4, -3}}) {
    Request r = *make_request({1, 2, 3}, 2);
    r.priority = priority;
    rig.add(static_cast<RequestId>(id), share(r));
    if (id == 1) rig.step();  // what runs keeps its place
  }
  while (rig.step()) {
    for (const auto& [key, reason] : rig.reasons) {
      if (std::find(order.begin(), order.end(), key.first) == order.end()) order.push_back(key.first);
    }
  }
  EXPECT_EQ(order, (std::vector<RequestId>{1, 4, 3, 2}));
}

TEST(Scheduler, PreemptsTheLeastUrgent) {
  auto config = small_config();
  config.context_window = 24;
  config.num_pages = 8;
  Rig rig(config, fake_for(config, 20));
  Request low = *make_request({1, 2, 3, 4}, 16);
  low.priority = 1;
  rig.add(1, share(low));
  rig.add(2, make_request({5, 6, 7}, 16));  // newer, but more urgent
  while (rig.scheduler.num_preemptions() == 0) ASSERT_TRUE(rig.step());
  EXPECT_TRUE(rig.scheduler.find(1)->table.pages.empty());
  EXPECT_FALSE(rig.scheduler.find(2)->table.pages.empty());
  finish(rig);
}

TEST(Scheduler, ChoicesShareThePromptAndCopyItsLastPage) {
  const auto config = small_config();  // pages of 4 tokens
  Rig rig(config, fake_for(config, 20));
  rig.add(1, make_request({1, 2, 3, 4, 5, 6}, 5, 3));
  ASSERT_TRUE(rig.step());
  EXPECT_EQ(rig.plan.num_rows(), 6) << "the prompt is computed once";
  EXPECT_EQ(rig.scheduler.num_running(), 3);
  EXPECT_EQ(rig.scheduler.kv().num_free(), config.num_pages - 2);
  ASSERT_TRUE(rig.step());
  EXPECT_EQ(rig.plan.num_rows(), 3);
  EXPECT_EQ(rig.plan.copies.size(), 2u) << "the last one writes where it is";
  EXPECT_EQ(rig.scheduler.kv().num_free(), config.num_pages - 4);
  finish(rig);
  EXPECT_NE((rig.generated[{1, 0}]), (rig.generated[{1, 1}]));
}

TEST(Scheduler, MoreChoicesThanPlacesTakeTurns) {
  const auto config = small_config();  // 4 at once
  Rig rig(config, fake_for(config, 20));
  rig.add(1, make_request({1, 2, 3, 4, 5, 6}, 5, 11));
  finish(rig);
  EXPECT_EQ(rig.reasons.size(), 11u);
}

TEST(Scheduler, AChoiceIsCancelledWithoutTheOthers) {
  const auto config = small_config();
  Rig rig(config, fake_for(config, 20));
  rig.add(1, make_request(History(20, 3), 6, 4));
  ASSERT_TRUE(rig.step());
  rig.cancel(1, 0);  // the prompt is half computed
  rig.cancel(1, 2);
  while (rig.scheduler.num_running() < 2) ASSERT_TRUE(rig.step());
  rig.cancel(1, 3);
  while (rig.step()) {
  }
  for (const int choice : {0, 2, 3}) EXPECT_EQ((rig.reasons[{1, choice}]), FinishReason::kCancelled);
  EXPECT_EQ((rig.generated[{1, 1}]), Oracle(rig.fake, *rig.requests[1], 1).run(32).first);
}

TEST(Scheduler, PromptsAndDecodesTakeTurnsWhenTheyDoNotMix) {
  auto config = small_config();
  config.mix_prefill = false;
  Rig rig(config, fake_for(config, 20));
  rig.add(1, make_request({1, 2, 3}, 20));
  ASSERT_TRUE(rig.step());
  rig.add(2, make_request(History(20, 7), 4));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(rig.step());
    EXPECT_EQ(rig.plan.chunks.size(), 1u);
    EXPECT_TRUE(rig.plan.chunks[0].decodes);
    ASSERT_TRUE(rig.step());
    EXPECT_EQ(rig.plan.chunks.size(), 1u);
    EXPECT_FALSE(rig.plan.chunks[0].decodes);
  }
  finish(rig);
}

TEST(Scheduler, AConversationStartsFromItsEarlierPages) {
  const auto config = small_config();  // pages of 4 tokens
  Rig rig(config, fake_for(config, 20));
  rig.add(1, make_request({1, 2, 3, 4, 5, 6}, 5));
  while (rig.step()) {
  }
  History next = {1, 2, 3, 4, 5, 6};
  next.insert(next.end(), rig.generated[{1, 0}].begin(),
              rig.generated[{1, 0}].end());  // 11 tokens, 10 of them computed
  next.push_back(9);
  rig.add(2, make_request(next, 3));
  ASSERT_TRUE(rig.step());
  EXPECT_EQ(rig.plan.positions.front(), 8);
  EXPECT_EQ(rig.plan.num_rows(), 4);
  finish(rig);
  // The same prompt once more: the last token is always computed, for its logits.
  rig.add(3, make_request({1, 2, 3, 4}, 2));
  ASSERT_TRUE(rig.step());
  EXPECT_EQ(rig.plan.num_rows(), 4);
}

TEST(Scheduler, ZeroTokensScoresThePrompt) {
  const auto config = small_config();
  Rig rig(config, fake_for(config, 20));
  Request r;
  r.prompt = History(32, 3);  // as long as the context
  r.max_tokens = 0;
  r.prompt_logprobs = true;
  rig.add(9, share(r));
  while (rig.step()) {
  }
  EXPECT_EQ((rig.reasons[{9, 0}]), FinishReason::kLength);
  EXPECT_EQ(rig.prompt_scores[9].size(), 31u);
  EXPECT_TRUE((rig.generated[{9, 0}].empty()));
}

TEST(Scheduler, FailAllFreesEverything) {
  const auto config = small_config();
  Rig rig(config, fake_for(config, 20));
  for (RequestId id = 1; id <= 6; ++id) rig.add(id, make_request({1, 2, 3}, 20));
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
