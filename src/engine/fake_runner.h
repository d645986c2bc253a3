// A model runner without a model, for tests of everything above it.
//
//   auto engine = Engine::create(make_fake_runner({.vocab_size = 100}), {});
//
// It keeps what a real KV cache would hold (per slot: token, position, hash of the history) and checks in every step
// that each row sees exactly its own history; a violation is an error from run(). The logits of a row are a pure
// function of the tokens up to it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/model_runner.h"

namespace mlc::engine {

struct FakeRunnerOptions {
  int64_t vocab_size = 256;
  int64_t context_window = 2048;
  int64_t max_rows = 128;
  int64_t max_logit_rows = 8;
  int64_t page_size = 16;
  int64_t max_kv_pages = 1 << 16;
  double step_delay_s = 0;    // each run() takes at least so long
  int64_t fail_at_step = -1;  // that call of run() (from 0), and only it, returns an error
  // Which token should follow this history (prompt and output so far): its logit is raised far above the others, the
  // rest stays pseudo-random. Not set, or a negative answer: all pseudo-random.
  std::function<int32_t(const std::vector<int32_t>& history)> next_token;
};

// The hidden state of a row is {token, position, 1}.
inline constexpr int64_t kFakeHiddenSize = 3;

std::unique_ptr<ModelRunner> make_fake_runner(FakeRunnerOptions options = {});

// What FakeRunner answers for a history, computed directly: the oracle of tests.
std::vector<float> fake_logits(const FakeRunnerOptions& options, const std::vector<int32_t>& history);

}  // namespace mlc::engine
