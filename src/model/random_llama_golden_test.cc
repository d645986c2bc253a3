// The generator of random weights and the q4f16_1 encoder, bit for bit against their numpy twins. (What the models
// compute is tested end to end, against the logits in the same files.)
#include <gtest/gtest.h>

#include "../../tests/support/random_llama_golden.h"
#include "base/hash.h"
#include "model/convert.h"

namespace mlc::model {
namespace {

TEST(RandomLlamaGoldens, WeightsAndCodesAreNumpys) {
  const auto paths = testing::random_llama_golden_paths();
  EXPECT_EQ(paths.size(), 5u);
  const quant::Scheme& scheme = **quant::scheme_by_name("q4f16_1");
  for (const std::string& path : paths) {
    auto g = testing::read_random_llama_golden(path);
    ASSERT_TRUE(g) << g.error().message;
    const auto source = synthetic_checkpoint(g->config, g->seed);
    std::map<std::string, weights::TensorInfo> sorted;
    for (const weights::TensorInfo& info : source->tensors()) sorted[info.name] = info;
    Hasher floats(HashKind::kSha256), codes(HashKind::kSha256);
    for (const auto& [name, info] : sorted) {
      auto data = source->read(name);
      ASSERT_TRUE(data);
      floats.update(name);
      floats.update(data->bytes);
      if (info.shape.size() != 2) continue;
      const ParamRule rule{name, true, info.shape[0], info.shape[1], {{name, "", info.shape}}};
      auto encoded = encode_param(*source, rule, scheme, 2);
      ASSERT_TRUE(encoded);
      codes.update(name);
      for (const auto& part : encoded->data) codes.update(std::span<const std::byte>(part));
    }
    EXPECT_EQ(floats.finish_hex(), g->sha256_float32) << g->name;
    EXPECT_EQ(codes.finish_hex(), g->sha256_q4f16_1) << g->name;
    EXPECT_EQ(g->prompt.size(), 300u);
    for (const char* kind : {"float", "q4f16_1"}) {
      ASSERT_EQ(g->logits[kind].size(), g->positions.size());
      for (const auto& row : g->logits[kind]) EXPECT_EQ(static_cast<int64_t>(row.size()), g->config.vocab_size);
    }
  }
}

}  // namespace
}  // namespace mlc::model
