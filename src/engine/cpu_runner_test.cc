#include "engine/cpu_runner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <future>

#include "engine/engine.h"
#include "runtime/test_model.h"

namespace mlc::engine {
namespace {

std::unique_ptr<CpuModelRunner> make_runner() {
  auto module = runtime::test::tiny_module();
  auto pool = std::make_shared<ThreadPool>(2);
  auto params = runtime::ParamStore::open(*module, *runtime::test::tiny_weights(), *pool, {});
  EXPECT_TRUE(params);
  return std::make_unique<CpuModelRunner>(module, *params, pool);
}

TEST(CpuModelRunner, FillsInputsAndReturnsLogits) {
  auto runner = make_runner();
  EXPECT_EQ(runner->limits().vocab_size, 8);
  EXPECT_EQ(runner->kv_bytes_per_page(), 2 * 1 * 1 * 2 * 16 * 2);
  EXPECT_GT(runner->limits().max_kv_pages, 1000);
  ASSERT_TRUE(runner->allocate_kv(10));
  StepPlan plan;
  plan.token_ids = {1, 2, 3, 4, 5};
  plan.positions = {0, 1, 2, 3, 4};
  plan.slots = {0, 1, 2, 3, 4};
  plan.table_start = {0, 0, 0, 0, 0};
  plan.block_tables = {0};
  plan.logit_rows = {1, 4};
  plan.logits = {{1, true, -1}, {1, true, -1}};
  auto logits = runner->run(plan);
  ASSERT_TRUE(logits);
  ASSERT_EQ(logits->size(), 16u);
  EXPECT_EQ((*logits)[0], 20.0f);  // embed 20, doubled when packed, times 0.5
  EXPECT_EQ((*logits)[15], 50.0f + 7);
  const auto ids = runner->executor().input<int32_t>("token_ids");
  for (size_t row = 5; row < 16; ++row) EXPECT_EQ(ids[row], 5) << "padding repeats the last row";
}

TEST(CpuModelRunner, CopiesPagesOfEveryTensorInOrder) {
  auto runner = make_runner();
  ASSERT_TRUE(runner->allocate_kv(4));
  for (runtime::Tensor& t : runner->kv()) {
    auto* bytes = static_cast<unsigned char*>(t.data());
    const int64_t page = t.bytes() / 4;
    for (int64_t i = 0; i < t.bytes(); ++i) bytes[i] = static_cast<unsigned char>(i / page * 50 + i % 7);
  }
  StepPlan plan;
  plan.token_ids = {1};
  plan.positions = {0};
  plan.slots = {0};
  plan.table_start = {0};
  plan.block_tables = {0};
  plan.logit_rows = {0};
  plan.logits = {{1, true, -1, -1}};
  plan.copies = {{2, 3}, {1, 2}};  // page 2 goes on before it is overwritten
  ASSERT_TRUE(runner->run(plan));
  for (runtime::Tensor& t : runner->kv()) {
    const auto* bytes = static_cast<const unsigned char*>(t.data());
    const int64_t page = t.bytes() / 4;
    for (int64_t i = 0; i < page; ++i) {
      ASSERT_EQ(bytes[3 * page + i], static_cast<unsigned char>(100 + (2 * page + i) % 7));
      ASSERT_EQ(bytes[2 * page + i], static_cast<unsigned char>(50 + (page + i) % 7));
    }
  }
}

TEST(CpuModelRunner, RefusesACacheLargerThanMemory) {
  auto r = make_runner()->allocate_kv(int64_t{1} << 40);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("MiB of memory are available"), std::string::npos) << r.error().message;
}

TEST(CpuModelRunner, ServesAnEngine) {
  EngineOptions options;
  options.max_num_sequence = 2;
  auto engine = Engine::create(make_runner(), options);
  ASSERT_TRUE(engine) << engine.error().message;
  std::promise<std::vector<int32_t>> done;
  std::vector<int32_t> tokens;
  Request r;
  r.prompt = {1, 2, 3};
  r.max_tokens = 4;
  r.sampling.temperature = 0;
  auto id = (*engine)->submit(r, [&](const Output& o) {
    tokens.insert(tokens.end(), o.tokens.begin(), o.tokens.end());
    if (o.finish_reason != FinishReason::kNone) done.set_value(tokens);
  });
  ASSERT_TRUE(id);
  EXPECT_EQ(done.get_future().get(), (std::vector<int32_t>{7, 7, 7, 7}));  // the largest logit is always the last
}

TEST(CpuModelRunner, RopeAnglesAreFloatProducts) {
  const artifact::Rope rope{{1.0f, 0.1f}, 2.0f};
  float cos[2], sin[2];
  rope_row(rope, 12345, cos, sin);
  const float angle = 12345.0f * 0.1f;
  EXPECT_EQ(cos[1], static_cast<float>(std::cos(static_cast<double>(angle))) * 2.0f);
  EXPECT_EQ(sin[0], static_cast<float>(std::sin(12345.0)) * 2.0f);
}

}  // namespace
}  // namespace mlc::engine
