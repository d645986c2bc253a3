// Sequences that follow a grammar: masks beside the model, jump-forward, ends, failures. The grammar is a list of steps
// here, each the set of tokens that may come next; a step of one token is forced.
#include "engine/constraint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engine/engine.h"
#include "engine/fake_runner.h"
#include "engine/mask_worker.h"

namespace mlc::engine {
namespace {

using Steps = std::vector<std::set<int32_t>>;

class StepGrammar : public TokenConstraint {
 public:
  struct Options {
    Steps steps{};
    int32_t stop_token = -1;   // allowed at `may_stop_at` and at the end
    int64_t may_stop_at = -1;  // number of tokens
    int64_t fails_at = -1;     // mask() is an error there
    bool loops = false;        // starts over instead of ending
    std::chrono::microseconds mask_time{0};
  };
  explicit StepGrammar(Options options) : o_(std::make_shared<const Options>(std::move(options))) {}

  std::unique_ptr<TokenConstraint> clone() const override { return std::make_unique<StepGrammar>(*this); }
  Result<void> mask(std::span<uint32_t> bits) override {
    std::this_thread::sleep_for(o_->mask_time);
    if (at_ == o_->fails_at) return error("too complex");
    std::fill(bits.begin(), bits.end(), 0);
    const auto allow = [&](int32_t t) { bits[static_cast<size_t>(t) / 32] |= uint32_t{1} << (t % 32); };
    if (!at_end()) {
      for (const int32_t t : step()) allow(t);
    }
    if (may_stop() && o_->stop_token >= 0) allow(o_->stop_token);
    return {};
  }
  Result<void> accept(int32_t token) override {
    if (may_stop() && token == o_->stop_token) {
      stopped_ = true;
      return {};
    }
    if (at_end() || !step().contains(token)) return error("token {} at {}", token, at_);
    ++at_;
    return {};
  }
  std::vector<int32_t> forced() override {
    std::vector<int32_t> out;
    StepGrammar ahead(*this);
    while (!ahead.at_end() && !ahead.may_stop() && ahead.step().size() == 1 && out.size() < 5) {
      out.push_back(*ahead.step().begin());
      ++ahead.at_;
    }
    return out;
  }
  bool may_stop() const override { return at_end() || at_ == o_->may_stop_at; }
  bool must_stop() const override { return stopped_ || at_end(); }

 private:
  bool at_end() const { return !o_->loops && at_ == std::ssize(o_->steps); }
  const std::set<int32_t>& step() const { return o_->steps[static_cast<size_t>(at_) % o_->steps.size()]; }

  std::shared_ptr<const Options> o_;
  int64_t at_ = 0;
  bool stopped_ = false;
};

std::shared_ptr<const TokenConstraint> steps(StepGrammar::Options options) {
  return std::make_shared<StepGrammar>(std::move(options));
}

class Results {
 public:
  OutputCallback callback(int key) {
    std::lock_guard lock(mutex_);
    ++open_;
    return [this, key](const Output& o) {
      std::lock_guard guard(mutex_);
      Output& all = outputs_[key];
      all.tokens.insert(all.tokens.end(), o.tokens.begin(), o.tokens.end());
      all.logprobs.insert(all.logprobs.end(), o.logprobs.begin(), o.logprobs.end());
      if (o.finish_reason == FinishReason::kNone) return;
      all.finish_reason = o.finish_reason;
      all.error = o.error;
      all.completion_tokens = o.completion_tokens;
      --open_;
      changed_.notify_all();
    };
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(120), [&] { return open_ == 0; }));
  }
  Output operator[](int key) {
    std::lock_guard lock(mutex_);
    return outputs_[key];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, Output> outputs_;
  int open_ = 0;
};

constexpr int64_t kVocab = 50;  // no multiple of 32

FakeRunnerOptions fake_options() {
  FakeRunnerOptions fake;
  fake.vocab_size = kVocab;
  fake.max_rows = 16;
  return fake;
}

std::unique_ptr<Engine> make_engine(const EngineOptions& options = {}) {
  auto engine = Engine::create(make_fake_runner(fake_options()), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return std::move(engine).value();
}

Request request(std::vector<int32_t> prompt, int64_t max_tokens, std::shared_ptr<const TokenConstraint> constraint,
                float temperature = 0) {
  Request r;
  r.prompt = std::move(prompt);
  r.max_tokens = max_tokens;
  r.sampling.temperature = temperature;
  r.constraint = std::move(constraint);
  return r;
}

Output run(Engine& engine, const Request& r) {
  Results results;
  EXPECT_TRUE(engine.submit(r, results.callback(0)));
  results.wait();
  return results[0];
}

void expect_follows(const std::vector<int32_t>& tokens, const Steps& all) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_TRUE(all[i % all.size()].contains(tokens[i])) << "token " << tokens[i] << " at " << i;
  }
}

const Steps kSteps = {{3, 4, 5}, {7}, {8}, {9}, {1, 2, 40, 49}, {30}, {31}, {3, 6}};

TEST(Constraint, MasksWordsThatAreNotFull) {
  std::vector<float> logits(kVocab, 1.0f);
  std::vector<uint32_t> bits = {0x80000001U, 0x00020001U};
  apply_mask(bits, logits);
  for (int i = 0; i < kVocab; ++i) {
    const bool allowed = i == 0 || i == 31 || i == 32 || i == 49;
    EXPECT_EQ(std::isfinite(logits[static_cast<size_t>(i)]), allowed) << i;
  }
}

TEST(Constraint, OutputFollowsTheGrammarAndEndsWithIt) {
  auto engine = make_engine();
  for (const float temperature : {0.0f, 1.0f}) {
    const Output out = run(*engine, request({1, 2, 3}, 100, steps({.steps = kSteps}), temperature));
    EXPECT_EQ(out.error, "");
    ASSERT_EQ(out.tokens.size(), kSteps.size());
    expect_follows(out.tokens, kSteps);
    EXPECT_EQ(out.finish_reason, FinishReason::kStop);
    EXPECT_EQ(out.completion_tokens, std::ssize(kSteps));
  }
}

// Each allowed choice is the likeliest among the allowed ones, given all tokens before, forced ones included.
TEST(Constraint, GreedyTakesTheLikeliestAllowedToken) {
  auto engine = make_engine();
  const Output out = run(*engine, request({1, 2, 3}, 100, steps({.steps = kSteps})));
  std::vector<int32_t> history = {1, 2, 3};
  for (size_t i = 0; i < out.tokens.size(); ++i) {
    const std::vector<float> logits = fake_logits(fake_options(), history);
    int32_t best = -1;
    for (const int32_t t : kSteps[i]) {
      if (best < 0 || logits[static_cast<size_t>(t)] > logits[static_cast<size_t>(best)]) best = t;
    }
    EXPECT_EQ(out.tokens[i], best) << i;
    history.push_back(out.tokens[i]);
  }
}

TEST(Constraint, ForcedTokensTakeNoStepOfTheirOwn) {
  auto engine = make_engine();
  const Output out = run(*engine, request({1, 2, 3}, 100, steps({.steps = kSteps})));
  EXPECT_EQ(out.tokens.size(), 8u);
  EXPECT_EQ(engine->stats().steps, 3);  // three choices; the last token is never computed
}

TEST(Constraint, LogprobsAreTheModelsAndTheTextIsTheSame) {
  auto engine = make_engine();
  for (const float temperature : {0.0f, 0.8f}) {
    Request r = request({4, 4}, 100, steps({.steps = kSteps}), temperature);
    const Output plain = run(*engine, r);
    r.num_logprobs = 1;
    const Output scored = run(*engine, r);
    EXPECT_EQ(plain.tokens, scored.tokens);
    ASSERT_EQ(scored.logprobs.size(), scored.tokens.size());
    std::vector<int32_t> history = {4, 4};
    for (size_t i = 0; i < scored.tokens.size(); ++i) {
      const std::vector<float> logits = fake_logits(fake_options(), history);
      double sum = 0;
      for (const float l : logits) sum += std::exp(static_cast<double>(l));
      const double expected = static_cast<double>(logits[static_cast<size_t>(scored.tokens[i])]) - std::log(sum);
      EXPECT_NEAR(static_cast<double>(scored.logprobs[i].logprob), expected, 1e-4) << i;
      EXPECT_EQ(scored.logprobs[i].token, scored.tokens[i]);
      history.push_back(scored.tokens[i]);
    }
  }
}

TEST(Constraint, MaxTokensCutsForcedText) {
  auto engine = make_engine();
  for (int64_t limit = 1; limit <= std::ssize(kSteps); ++limit) {
    const Output out = run(*engine, request({9}, limit, steps({.steps = kSteps})));
    EXPECT_EQ(std::ssize(out.tokens), limit);
    expect_follows(out.tokens, kSteps);
    const bool whole = limit == std::ssize(kSteps);
    EXPECT_EQ(out.finish_reason, whole ? FinishReason::kStop : FinishReason::kLength) << limit;
  }
}

TEST(Constraint, TextForcedWithoutEndStopsAtTheLimit) {
  auto engine = make_engine();
  const Output out = run(*engine, request({9}, 200, steps({.steps = {{5}, {6}}, .loops = true})));
  EXPECT_EQ(out.tokens.size(), 200u);
  EXPECT_EQ(out.finish_reason, FinishReason::kLength);
  expect_follows(out.tokens, {{5}, {6}});
}

TEST(Constraint, TheEmptyTextEndsAtOnce) {
  auto engine = make_engine();
  const Output out = run(*engine, request({9}, 200, steps({})));
  EXPECT_EQ(out.tokens.size(), 0u);
  EXPECT_EQ(out.finish_reason, FinishReason::kStop);
}

TEST(Constraint, StopTokensEndWhereTheGrammarAllows) {
  // At three tokens the choice is between the stop token and more; a bias makes it the stop token.
  StepGrammar::Options grammar{.steps = kSteps, .stop_token = 20, .may_stop_at = 4};
  Request r = request({1, 2, 3}, 100, steps(grammar));
  r.stop_token_ids = {20};
  r.sampling.logit_bias[20] = 100;
  auto engine = make_engine();
  const Output out = run(*engine, r);
  EXPECT_EQ(out.finish_reason, FinishReason::kStop);
  EXPECT_EQ(out.tokens.size(), 4u);  // the stop token is not among them
  r.sampling.logit_bias[20] = -100;
  EXPECT_EQ(run(*engine, r).tokens.size(), kSteps.size());
}

TEST(Constraint, AFailedGrammarEndsItsRequestOnly) {
  auto engine = make_engine();
  Results results;
  ASSERT_TRUE(engine->submit(request({1}, 100, steps({.steps = kSteps, .fails_at = 4})), results.callback(0)));
  ASSERT_TRUE(engine->submit(request({2}, 30, nullptr), results.callback(1)));
  ASSERT_TRUE(engine->submit(request({3}, 100, steps({.steps = kSteps})), results.callback(2)));
  results.wait();
  EXPECT_EQ(results[0].finish_reason, FinishReason::kError);
  EXPECT_NE(results[0].error.find("too complex"), std::string::npos) << results[0].error;
  EXPECT_EQ(results[0].tokens.size(), 4u);
  EXPECT_EQ(results[1].tokens.size(), 30u);
  EXPECT_EQ(results[2].tokens.size(), kSteps.size());
  EXPECT_EQ(engine->stats().kv_pages_free, engine->stats().kv_pages_total);
}

// Constrained and free sequences in one batch, with preemption, long prompts, slow masks and cancels: everyone gets
// what it gets alone.
TEST(Constraint, AMixedBatchEqualsAlone) {
  const auto make = [](int i) {
    StepGrammar::Options grammar{.steps = kSteps, .loops = true, .mask_time = std::chrono::microseconds(i % 4 * 100)};
    Request r = request(std::vector<int32_t>(static_cast<size_t>(2 + 4 * i), i), 40,
                        i % 3 == 0 ? nullptr : steps(grammar), i % 2 ? 1.0f : 0.0f);
    r.sampling.seed = static_cast<uint64_t>(i);
    r.sampling.frequency_penalty = i % 4 == 1 ? 0.5f : 0.0f;
    return r;
  };
  constexpr int kRequests = 12;
  Results together;
  {
    EngineOptions options;
    options.max_total_tokens = 192;
    auto engine = make_engine(options);
    for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(engine->submit(make(i), together.callback(i)));
    auto cancelled = engine->submit(make(1), together.callback(100));
    ASSERT_TRUE(cancelled);
    engine->cancel(*cancelled);
    together.wait();
    EXPECT_GT(engine->stats().preemptions, 0);
    EXPECT_EQ(engine->stats().kv_pages_free, engine->stats().kv_pages_total);
  }
  auto engine = make_engine();
  for (int i = 0; i < kRequests; ++i) {
    const Output alone = run(*engine, make(i));
    EXPECT_EQ(together[i].tokens, alone.tokens) << i;
    EXPECT_EQ(alone.tokens.size(), 40u);
    if (i % 3 != 0) expect_follows(alone.tokens, kSteps);
  }
}

TEST(MaskWorker, JobsMayBeDroppedAtAnyTime) {
  MaskWorker worker(kVocab);
  const StepGrammar grammar({.steps = kSteps, .mask_time = std::chrono::microseconds(50)});
  for (int i = 0; i < 200; ++i) {
    auto kept = worker.add(grammar.clone());
    auto dropped = worker.add(grammar.clone());
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(60));
    dropped.reset();
    ASSERT_TRUE(worker.wait(*kept));
    EXPECT_EQ(kept->bits, (std::vector<uint32_t>{0x38U, 0}));
    ASSERT_TRUE(kept->constraint->accept(4));
    worker.start(kept);
    ASSERT_TRUE(worker.wait(*kept));
    EXPECT_EQ(kept->bits, (std::vector<uint32_t>{0x80U, 0}));
  }
}

}  // namespace
}  // namespace mlc::engine
