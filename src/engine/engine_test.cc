#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "engine/fake_runner.h"
#include "engine/sampler.h"

namespace mlc::engine {
namespace {

// Collects the outputs of many requests; wait() blocks until all have ended.
class Collector {
 public:
  OutputCallback callback(int key) {
    {
      std::lock_guard lock(mutex_);
      ++open_;
    }
    return [this, key](const Output& o) {
      std::lock_guard lock(mutex_);
      Output& all = outputs_[key];
      all.id = o.id;
      all.tokens.insert(all.tokens.end(), o.tokens.begin(), o.tokens.end());
      all.logprobs.insert(all.logprobs.end(), o.logprobs.begin(), o.logprobs.end());
      all.prompt_logprobs.insert(all.prompt_logprobs.end(), o.prompt_logprobs.begin(), o.prompt_logprobs.end());
      EXPECT_EQ(all.finish_reason, FinishReason::kNone);
      ++events_;
      if (o.finish_reason != FinishReason::kNone) {
        all.finish_reason = o.finish_reason;
        all.error = o.error;
        all.embedding = o.embedding;
        all.rows = o.rows;
        all.completion_tokens = o.completion_tokens;
        all.prompt_tokens = o.prompt_tokens;
        all.prefill_s = o.prefill_s;
        all.decode_s = o.decode_s;
        --open_;
      }
      changed_.notify_all();
    };
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return open_ == 0; }));
  }
  void wait_events(int n) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return events_ >= n; }));
  }
  Output output(int key) {
    std::lock_guard lock(mutex_);
    return outputs_[key];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, Output> outputs_;
  int open_ = 0, events_ = 0;
};

std::unique_ptr<Engine> make_engine(const FakeRunnerOptions& fake, const EngineOptions& options = {}) {
  auto engine = Engine::create(make_fake_runner(fake), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return std::move(engine).value();
}

Request request(std::vector<int32_t> prompt, int64_t max_tokens, float temperature = 0) {
  Request r;
  r.prompt = std::move(prompt);
  r.max_tokens = max_tokens;
  r.sampling.temperature = temperature;
  return r;
}

TEST(Engine, BatchOfEightEqualsAlone) {
  FakeRunnerOptions fake;
  fake.vocab_size = 50;
  fake.max_rows = 16;
  EngineOptions options;
  options.max_total_tokens = 160;  // tight: some are preempted
  auto make = [&](int i) {
    Request r = request(std::vector<int32_t>(static_cast<size_t>(3 + 5 * i), i), 30, i % 2 ? 1.0f : 0.0f);
    r.sampling.seed = static_cast<uint64_t>(i);
    r.sampling.top_p = 0.95f;
    r.sampling.repetition_penalty = 1.2f;
    r.sampling.frequency_penalty = 0.3f;
    r.num_logprobs = 2;
    return r;
  };
  Collector together, alone;
  int64_t preemptions = 0;
  {
    auto engine = make_engine(fake, options);
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(engine->submit(make(i), together.callback(i)));
    together.wait();
    preemptions = engine->stats().preemptions;
    EXPECT_EQ(engine->stats().kv_pages_free, engine->stats().kv_pages_total);
    EXPECT_EQ(engine->stats().finished_requests, 8);
  }
  EXPECT_GT(preemptions, 0);
  auto engine = make_engine(fake);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(engine->submit(make(i), alone.callback(i)));
    alone.wait();
    const Output a = alone.output(i), b = together.output(i);
    EXPECT_EQ(a.tokens, b.tokens) << i;
    ASSERT_EQ(a.logprobs.size(), a.tokens.size());
    ASSERT_EQ(b.logprobs.size(), a.tokens.size());
    for (size_t k = 0; k < a.logprobs.size(); ++k) {
      EXPECT_EQ(a.logprobs[k].logprob, b.logprobs[k].logprob);
      EXPECT_EQ(a.logprobs[k].top, b.logprobs[k].top);
    }
  }
}

TEST(Engine, StopTokenAndLength) {
  FakeRunnerOptions fake;
  fake.vocab_size = 10;
  fake.next_token = [](const std::vector<int32_t>& h) { return static_cast<int32_t>(h.size() % 10); };
  auto engine = make_engine(fake);
  Collector c;
  Request r = request({0}, 100);
  r.stop_token_ids = {4};
  ASSERT_TRUE(engine->submit(r, c.callback(0)));
  r.ignore_eos = true;
  r.max_tokens = 5;
  ASSERT_TRUE(engine->submit(r, c.callback(1)));
  c.wait();
  EXPECT_EQ(c.output(0).tokens, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(c.output(0).finish_reason, FinishReason::kStop);
  EXPECT_EQ(c.output(0).completion_tokens, 3);
  EXPECT_EQ(c.output(1).tokens, (std::vector<int32_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(c.output(1).finish_reason, FinishReason::kLength);
  EXPECT_EQ(c.output(1).prompt_tokens, 1);
}

TEST(Engine, TheContextWindowEndsARequest) {
  FakeRunnerOptions fake;
  fake.context_window = 20;
  auto engine = make_engine(fake);
  EXPECT_EQ(engine->context_window_size(), 20);
  Collector c;
  ASSERT_TRUE(engine->submit(request({1, 2, 3}, 1000), c.callback(0)));
  c.wait();
  EXPECT_EQ(c.output(0).tokens.size(), 17u);
  EXPECT_EQ(c.output(0).finish_reason, FinishReason::kLength);
}

TEST(Engine, RefusesWhatCannotRun) {
  FakeRunnerOptions fake;
  fake.context_window = 20;
  auto engine = make_engine(fake);
  auto refused = [&](const Request& r) {
    auto id = engine->submit(r, [](const Output&) { ADD_FAILURE() << "called"; });
    return id ? std::string("accepted") : id.error().message;
  };
  EXPECT_NE(refused(request({}, 5)).find("empty"), std::string::npos);
  EXPECT_NE(refused(request({1, 256}, 5)).find("token id 256"), std::string::npos);
  EXPECT_NE(refused(request({-1}, 5)).find("token id -1"), std::string::npos);
  EXPECT_NE(refused(request(std::vector<int32_t>(20, 1), 5)).find("context window is 20"), std::string::npos);
  EXPECT_NE(refused(request({1}, 5, 3.0f)).find("temperature"), std::string::npos);
  EXPECT_NE(refused(request({1}, -2)).find("max_tokens"), std::string::npos);
}

TEST(Engine, CancelTakesEffectAndFreesPages) {
  FakeRunnerOptions fake;
  fake.step_delay_s = 0.002;
  auto engine = make_engine(fake);
  Collector c;
  auto id = engine->submit(request({1, 2, 3}, 1000000), c.callback(0));
  ASSERT_TRUE(id);
  c.wait_events(3);
  engine->cancel(*id);
  engine->cancel(*id + 1000);  // unknown: ignored
  c.wait();
  EXPECT_EQ(c.output(0).finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(engine->stats().cancelled_requests, 1);
  EXPECT_EQ(engine->stats().kv_pages_free, engine->stats().kv_pages_total);
  EXPECT_EQ(engine->stats().running, 0);
}

TEST(Engine, ResetEndsEverythingAndForgets) {
  FakeRunnerOptions fake;
  fake.step_delay_s = 0.002;
  auto engine = make_engine(fake);
  Collector c;
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(engine->submit(request({1, 2, 3}, 1000000), c.callback(i)));  // some wait
  c.wait_events(3);
  engine->reset();
  c.wait();
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(c.output(i).finish_reason, FinishReason::kError);
    EXPECT_EQ(c.output(i).error, "the engine was reset");
  }
  ASSERT_TRUE(engine->submit(request({1, 2, 3}, 5), c.callback(20)));
  c.wait();
  EXPECT_EQ(c.output(20).tokens.size(), 5u);
  EXPECT_EQ(engine->stats().finished_requests, 1);
  EXPECT_EQ(engine->stats().cached_prompt_tokens, 0);
  EXPECT_EQ(engine->stats().kv_pages_free, engine->stats().kv_pages_total);
}

TEST(Engine, RecordsWhatHappensToRequests) {
  EngineOptions options;
  options.trace = std::make_shared<EventTrace>();
  auto engine = make_engine({}, options);
  Collector c;
  Request named = request({1, 2, 3}, 2);
  named.name = "chatcmpl-1";
  named.num_choices = 2;
  std::atomic<int> ended{0};
  ASSERT_TRUE(engine->submit(named, [&](const Output& o) { ended += o.finish_reason != FinishReason::kNone ? 1 : 0; }));
  while (ended < 2) std::this_thread::yield();
  ASSERT_TRUE(engine->submit(request({4}, 1), c.callback(0)));
  c.wait();
  engine.reset();  // all outputs are delivered
  std::map<std::string, std::vector<std::string>> rows;
  for (const auto& e : options.trace->chrome_json()) {
    if (e["ph"] != "E") rows[e["tid"].get<std::string>()].push_back(e["name"].get<std::string>());
  }
  ASSERT_TRUE(rows.contains("2"));
  EXPECT_EQ(rows["2"], (std::vector<std::string>{"add request (0)", "queue (0)", "prefill (0)", "finish length (0)"}));
  const auto& first = rows["chatcmpl-1"];
  ASSERT_GE(first.size(), 3u);
  EXPECT_EQ(std::vector<std::string>(first.begin(), first.begin() + 3),
            (std::vector<std::string>{"add request (0)", "queue (0)", "prefill (0)"}));
  EXPECT_TRUE(rows.contains("chatcmpl-1/1"));
}

TEST(Engine, DestructionCancelsEverything) {
  FakeRunnerOptions fake;
  fake.step_delay_s = 0.001;
  Collector c;
  {
    auto engine = make_engine(fake);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(engine->submit(request({1, 2, 3}, 1000000), c.callback(i)));
    c.wait_events(4);
  }
  c.wait();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(c.output(i).finish_reason, FinishReason::kCancelled);
}

TEST(Engine, ARunnerFailureEndsWhatRunsAndNothingElse) {
  FakeRunnerOptions fake;
  fake.fail_at_step = 3;
  fake.step_delay_s = 0.005;
  auto engine = make_engine(fake);
  Collector c;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->submit(request({1, 2}, 50), c.callback(i)));
  c.wait();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(c.output(i).finish_reason, FinishReason::kError);
    EXPECT_NE(c.output(i).error.find("fake device failed"), std::string::npos);
  }
  ASSERT_TRUE(engine->submit(request({1, 2}, 5), c.callback(9)));
  c.wait();
  EXPECT_EQ(c.output(9).tokens.size(), 5u);
}

TEST(Engine, SubmitsFromManyThreadsAndFromCallbacks) {
  auto engine = make_engine({});
  Collector c;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const int key = t * 100 + i;
        auto after = c.callback(key + 50);
        auto chain = [&engine, after, done = c.callback(key)](const Output& o) {
          if (o.finish_reason != FinishReason::kNone) {
            EXPECT_TRUE(engine->submit(request({7}, 3), after));
          }
          done(o);
        };
        EXPECT_TRUE(engine->submit(request({t, i}, 5), chain));
      }
    });
  }
  for (auto& t : threads) t.join();
  c.wait();
  EXPECT_EQ(engine->stats().finished_requests, 80);
  EXPECT_EQ(c.output(50).tokens, c.output(351).tokens);
  engine->reset_stats();
  EXPECT_EQ(engine->stats().finished_requests, 0);
  EXPECT_EQ(engine->stats().decode_tokens, 0);
}

TEST(Engine, PromptLogprobs) {
  FakeRunnerOptions fake;
  auto engine = make_engine(fake);
  Collector c;
  Request r = request({}, 0);
  for (int i = 0; i < 50; ++i) r.prompt.push_back(i * 3);
  r.prompt_logprobs = true;
  r.num_logprobs = 3;
  ASSERT_TRUE(engine->submit(r, c.callback(0)));
  c.wait();
  const Output out = c.output(0);
  EXPECT_EQ(out.finish_reason, FinishReason::kLength);
  ASSERT_EQ(out.prompt_logprobs.size(), 49u);
  Sampler sampler;
  std::vector<int32_t> history;
  for (size_t i = 0; i < 49; ++i) {
    history.push_back(r.prompt[i]);
    const TokenLogprob expected = sampler.logprob(fake_logits(fake, history), r.prompt[i + 1], 3);
    EXPECT_EQ(out.prompt_logprobs[i].logprob, expected.logprob);
    EXPECT_EQ(out.prompt_logprobs[i].top, expected.top);
  }
}

TEST(Engine, OptionsAreChecked) {
  auto message = [](EngineOptions o) {
    auto e = Engine::create(make_fake_runner(), o);
    return e ? std::string("accepted") : e.error().message;
  };
  EngineOptions o;
  o.context_window_size = 4096;
  EXPECT_NE(message(o).find("at most 2048"), std::string::npos);
  o = {};
  o.prefill_chunk_size = 4096;
  EXPECT_NE(message(o).find("prefill_chunk_size"), std::string::npos);
  o = {};
  o.max_num_sequence = 0;
  EXPECT_NE(message(o).find("max_num_sequence"), std::string::npos);
}

// The vector of a prompt: the hidden state of its last token, or the mean, whatever else runs and however often the
// sequence loses its pages.
TEST(Engine, PoolsHiddenStates) {
  FakeRunnerOptions fake;
  fake.context_window = 80;
  fake.max_rows = 16;
  EngineOptions options;
  options.max_total_tokens = 96;
  options.max_num_sequence = 4;
  auto engine = make_engine(fake, options);
  EXPECT_EQ(engine->hidden_size(), kFakeHiddenSize);
  Collector c;
  for (int i = 0; i < 12; ++i) {
    Request r;
    for (int t = 0; t < 5 + 4 * i; ++t) r.prompt.push_back((i % 3) * 7 + t);
    r.max_tokens = 1;
    r.pooling = i % 2 == 0 ? Pooling::kLast : Pooling::kMean;
    if (i == 11) {  // beside them, one that generates
      r.pooling = Pooling::kNone;
      r.max_tokens = 30;
    }
    ASSERT_TRUE(engine->submit(r, c.callback(i)));
  }
  c.wait();
  for (int i = 0; i < 11; ++i) {
    const auto n = static_cast<float>(5 + 4 * i), first = static_cast<float>((i % 3) * 7);
    const std::vector<float> v = c.output(i).embedding;
    ASSERT_EQ(v.size(), 3u) << i;
    EXPECT_FLOAT_EQ(v[0], first + (i % 2 == 0 ? n - 1 : (n - 1) / 2)) << i;
    EXPECT_FLOAT_EQ(v[1], i % 2 == 0 ? n - 1 : (n - 1) / 2) << i;
    EXPECT_FLOAT_EQ(v[2], 1) << i;
  }
  EXPECT_TRUE(c.output(11).embedding.empty());
  Request wrong;
  wrong.prompt = {1};
  wrong.pooling = Pooling::kLast;
  wrong.max_tokens = 2;
  EXPECT_FALSE(engine->submit(wrong, c.callback(20)));
}

// What the model computed, of prompts that share steps, chunks and prefixes: the rows are each request's own.
TEST(Engine, RowsOfPrompts) {
  FakeRunnerOptions fake;
  fake.max_rows = 16;
  auto engine = make_engine(fake);
  Collector c;
  const auto prompt_of = [](int i) {
    std::vector<int32_t> prompt;
    for (int t = 0; t < 20 + i; ++t) prompt.push_back((i % 2) * 5 + t);
    return prompt;
  };
  for (int i = 0; i < 8; ++i) {
    Request r = request(prompt_of(i), 1);
    r.rows = i % 4 < 2 ? Rows::kLogits : Rows::kHidden;
    r.all_rows = i < 4;
    ASSERT_TRUE(engine->submit(r, c.callback(i)));
  }
  c.wait();
  for (int i = 0; i < 8; ++i) {
    const auto prompt = prompt_of(i);
    std::vector<float> expected;
    for (size_t n = i < 4 ? 1 : prompt.size(); n <= prompt.size(); ++n) {
      const std::vector<int32_t> history(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(n));
      const auto row = i % 4 < 2 ? fake_logits(fake, history)
                                 : std::vector<float>{static_cast<float>(history.back()), static_cast<float>(n - 1), 1};
      expected.insert(expected.end(), row.begin(), row.end());
    }
    ASSERT_TRUE(c.output(i).rows) << i;
    EXPECT_EQ(*c.output(i).rows, expected) << i;
  }
  Request wrong = request({1}, 2);
  wrong.rows = Rows::kLogits;
  EXPECT_FALSE(engine->submit(wrong, c.callback(20)));
}

}  // namespace
}  // namespace mlc::engine
