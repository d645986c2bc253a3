// Several answers to one request, priorities, and speculative decoding, through the engine and its thread.
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "engine/engine.h"
#include "engine/scheduler_rig.h"

namespace mlc::engine {
namespace {

using namespace test;  // NOLINT

// Runs requests to their ends and keeps what each choice said.
class Answers {
 public:
  explicit Answers(Engine& engine) : engine_(engine) {}
  RequestId ask(Request r) {
    {
      std::lock_guard lock(mutex_);
      open_ += r.num_choices;
    }
    auto id = engine_.submit(std::move(r), [this](const Output& o) {
      std::lock_guard lock(mutex_);
      Output& all = outputs_[{o.id, o.choice}];
      all.tokens.insert(all.tokens.end(), o.tokens.begin(), o.tokens.end());
      all.logprobs.insert(all.logprobs.end(), o.logprobs.begin(), o.logprobs.end());
      all.cached_prompt_tokens = o.cached_prompt_tokens;
      all.finish_reason = o.finish_reason;
      events_ += 1;
      if (o.finish_reason != FinishReason::kNone) --open_;
      changed_.notify_all();
    });
    EXPECT_TRUE(id) << id.error().message;
    return *id;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(120), [&] { return open_ == 0; }));
  }
  void wait_events(int n) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(120), [&] { return events_ >= n; }));
  }
  Output get(RequestId id, int choice = 0) {
    std::lock_guard lock(mutex_);
    return outputs_[{id, choice}];
  }

 private:
  Engine& engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<ChoiceKey, Output> outputs_;
  int open_ = 0, events_ = 0;
};

std::unique_ptr<Engine> make_engine(const FakeRunnerOptions& fake, const EngineOptions& options = {},
                                    std::unique_ptr<DraftSource> drafts = nullptr) {
  auto engine = Engine::create(make_fake_runner(fake), options, std::move(drafts));
  EXPECT_TRUE(engine) << engine.error().message;
  return std::move(engine).value();
}

Request sampled(size_t prompt, int64_t max_tokens, int choices) {
  Request r;
  for (size_t i = 0; i < prompt; ++i) r.prompt.push_back(static_cast<int32_t>(i % 7));
  r.max_tokens = max_tokens;
  r.num_choices = choices;
  r.sampling.seed = 5;
  r.sampling.frequency_penalty = 0.5f;
  return r;
}

TEST(Engine, ChoicesAreTheAnswersOfOneRequestWithEachSeed) {
  FakeRunnerOptions fake;
  fake.vocab_size = 40;
  auto engine = make_engine(fake);
  Answers answers(*engine);
  Request r = sampled(37, 12, 5);
  r.num_logprobs = 1;
  const RequestId id = answers.ask(r);
  answers.wait();
  EXPECT_EQ(engine->stats().prefill_tokens, 37) << "the prompt is computed once";
  EXPECT_EQ(engine->stats().finished_requests, 5) << "each choice counts";
  for (int choice = 0; choice < 5; ++choice) {
    const Output got = answers.get(id, choice);
    EXPECT_EQ(got.tokens, Oracle(fake, r, choice).run(fake.context_window).first) << choice;
    EXPECT_EQ(got.logprobs.size(), got.tokens.size());
    Request one = r;
    one.num_choices = 1;
    one.sampling.seed += static_cast<uint64_t>(choice);
    const RequestId alone = answers.ask(one);
    answers.wait();
    EXPECT_EQ(answers.get(alone).tokens, got.tokens);
    for (size_t i = 0; i < got.logprobs.size(); ++i) {
      EXPECT_EQ(answers.get(alone).logprobs[i].logprob, got.logprobs[i].logprob);
    }
  }
  EXPECT_EQ(engine->stats().kv_pages_free, engine->stats().kv_pages_total);
}

TEST(Engine, OneChoiceIsCancelled) {
  FakeRunnerOptions fake;
  fake.step_delay_s = 0.002;
  auto engine = make_engine(fake);
  Answers answers(*engine);
  const RequestId id = answers.ask(sampled(5, 60, 3));
  answers.wait_events(3);
  engine->cancel(id, 1);
  engine->cancel(id, 77);  // no such choice: ignored
  answers.wait();
  EXPECT_EQ(answers.get(id, 0).tokens.size(), 60u);
  EXPECT_EQ(answers.get(id, 1).finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(answers.get(id, 2).tokens.size(), 60u);
}

TEST(Engine, MinTokensKeepsStopsAway) {
  FakeRunnerOptions fake;
  fake.vocab_size = 10;
  fake.next_token = [](const History& h) { return static_cast<int32_t>(h.size() % 10); };
  auto engine = make_engine(fake);
  Answers answers(*engine);
  Request r;
  r.prompt = {0};
  r.max_tokens = 30;
  r.sampling.temperature = 0;
  r.stop_token_ids = {4};
  r.min_tokens = 5;
  const RequestId id = answers.ask(r);
  answers.wait();
  const Output out = answers.get(id);
  EXPECT_EQ(out.finish_reason, FinishReason::kStop);
  EXPECT_EQ(out.tokens.size(), 13u) << "token 4 is due as the 4th and again as the 14th";
  EXPECT_NE(out.tokens[3], 4);
}

TEST(Engine, SaltsShareNothing) {
  FakeRunnerOptions fake;
  auto engine = make_engine(fake);
  Answers answers(*engine);
  Request r = sampled(50, 2, 1);
  const auto cached = [&](const char* salt) {
    r.cache_salt = salt;
    const RequestId id = answers.ask(r);
    answers.wait();
    return answers.get(id).cached_prompt_tokens;
  };
  EXPECT_EQ(cached(""), 0);
  EXPECT_EQ(cached("alice"), 0);
  EXPECT_EQ(cached("bob"), 0);
  EXPECT_EQ(cached("alice"), 48);
  EXPECT_EQ(cached(""), 48);
  EXPECT_EQ(engine->stats().prompt_tokens, 250);
  EXPECT_EQ(engine->stats().cached_prompt_tokens, 96);
}

// The same answers with and without guesses, in fewer steps, while other requests come and go.
TEST(Engine, SpeculationChangesNothingButTheSteps) {
  FakeRunnerOptions fake;
  fake.vocab_size = 30;
  fake.max_logit_rows = 64;
  // A text that repeats itself, with a surprise now and then.
  fake.next_token = [](const History& h) { return h.size() % 23 == 0 ? -1 : static_cast<int32_t>(h.size() % 6); };
  const auto run = [&](std::unique_ptr<DraftSource> source, EngineStats* stats) {
    auto engine = make_engine(fake, {}, std::move(source));
    Answers answers(*engine);
    std::vector<History> out;
    std::vector<RequestId> ids;
    for (int i = 0; i < 6; ++i) {
      Request r = sampled(static_cast<size_t>(10 + i), 80, 1);
      r.sampling.frequency_penalty = 0;
      if (i % 2) r.sampling.temperature = 0;
      ids.push_back(answers.ask(r));
    }
    answers.wait();
    for (const RequestId id : ids) out.push_back(answers.get(id).tokens);
    *stats = engine->stats();
    return out;
  };
  EngineStats plain, guessed;
  const auto expected = run(nullptr, &plain);
  EXPECT_EQ(run(make_ngram_draft(), &guessed), expected);
  EXPECT_EQ(plain.drafts.drafted, 0);
  EXPECT_GT(guessed.drafts.accepted, 100);
  EXPECT_LE(guessed.drafts.accepted, guessed.drafts.drafted);
  EXPECT_EQ(guessed.decode_tokens, plain.decode_tokens);
  EXPECT_EQ(guessed.prefill_tokens, plain.prefill_tokens);
  EXPECT_LT(guessed.steps, plain.steps);
}

TEST(Engine, RefusesWhatNoRequestMayAsk) {
  auto engine = make_engine({});
  const auto refused = [&](auto change) {
    Request r = sampled(3, 3, 1);
    change(r);
    auto id = engine->submit(r, [](const Output&) { ADD_FAILURE() << "called"; });
    return id ? std::string("accepted") : id.error().message;
  };
  EXPECT_NE(refused([](Request& r) { r.num_choices = 0; }).find("expected 1 to 128"), std::string::npos);
  EXPECT_NE(refused([](Request& r) { r.num_choices = 129; }).find("expected 1 to 128"), std::string::npos);
  EXPECT_NE(refused([](Request& r) { r.min_tokens = -1; }).find("min_tokens"), std::string::npos);
  EngineOptions o;
  o.draft_length = 17;
  auto e = Engine::create(make_fake_runner(), o, make_ngram_draft());
  ASSERT_FALSE(e);
  EXPECT_NE(e.error().message.find("draft length is 17"), std::string::npos);
}

}  // namespace
}  // namespace mlc::engine
