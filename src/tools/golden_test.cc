// Whole models against independent references: Hugging Face transformers in float32 (random models, committed rows of
// logits) and float64 numpy (the two small published models of the shared test data).
#include <gtest/gtest.h>

#include <cstdlib>

#include "../tests/support/model_harness.h"
#include "../tests/support/random_llama_golden.h"
#include "base/json.h"
#include "weights/llama2c.h"

namespace mlc {
namespace {

using graph::Activation;
using testing::ModelHarness;
using testing::RandomLlamaGolden;
using testing::relative_error;

struct Errors {
  double worst = 0, sum = 0;
  int count = 0;
  double mean() const { return sum / count; }
};

Errors compare(ModelHarness& h, const RandomLlamaGolden& g, const std::string& kind, int64_t chunk) {
  Errors e;
  auto done = h.run({g.prompt}, chunk, [&](int, int64_t pos, std::span<const float> logits) {
    for (size_t i = 0; i < g.positions.size(); ++i) {
      if (g.positions[i] != pos) continue;
      const double error = relative_error(logits, g.logits.at(kind)[i]);
      e.worst = std::max(e.worst, error);
      e.sum += error;
      ++e.count;
    }
  });
  EXPECT_TRUE(done.has_value()) << (done ? "" : done.error().message);
  EXPECT_EQ(e.count, static_cast<int>(g.positions.size()));
  return e;
}

class RandomLlama : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto golden = testing::read_random_llama_golden(GetParam());
    ASSERT_TRUE(golden.has_value()) << golden.error().message;
    golden_ = *golden;
    checkpoint_ = model::synthetic_checkpoint(golden_.config, golden_.seed);
  }
  std::unique_ptr<ModelHarness> harness(const std::string& scheme, Activation activation,
                                        std::optional<DType> kv_dtype = {}) {
    auto h = ModelHarness::create(golden_.config, *checkpoint_, scheme, activation, 304, kv_dtype);
    EXPECT_TRUE(h.has_value()) << (h ? "" : h.error().message);
    return h ? std::move(h).value() : nullptr;
  }
  RandomLlamaGolden golden_;
  std::unique_ptr<weights::TensorSource> checkpoint_;
};

TEST_P(RandomLlama, Float32InChunksOf7And64And512) {
  auto h = harness("q0f32", Activation::kInt8);
  ASSERT_NE(h, nullptr);
  for (int64_t chunk : {7, 64, 512}) EXPECT_LT(compare(*h, golden_, "float", chunk).worst, 1e-4) << "chunk " << chunk;
}

TEST_P(RandomLlama, Float32FiveSequencesOfUnequalLengthGiveTheSameBitsAsAlone) {
  auto h = harness("q0f32", Activation::kInt8);
  ASSERT_NE(h, nullptr);
  std::vector<std::vector<int32_t>> sequences;
  for (size_t length : {300, 17, 1, 128, 60}) {
    // Each a different part of the prompt, so that a mixed-up page table shows.
    sequences.emplace_back(golden_.prompt.end() - static_cast<std::ptrdiff_t>(length), golden_.prompt.end());
  }
  std::map<std::pair<int, int64_t>, std::vector<float>> alone;
  for (size_t s = 0; s < sequences.size(); ++s) {
    auto done = h->run({sequences[s]}, 64, [&](int, int64_t pos, std::span<const float> l) {
      alone[{static_cast<int>(s), pos}].assign(l.begin(), l.end());
    });
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  size_t rows = 0;
  auto done = h->run(sequences, 13, [&](int s, int64_t pos, std::span<const float> l) {
    ++rows;
    const auto& expected = alone.at({s, pos});
    ASSERT_TRUE(std::equal(l.begin(), l.end(), expected.begin())) << "sequence " << s << " position " << pos;
  });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(rows, 506u);
}

TEST_P(RandomLlama, Float16) {
  auto h = harness("q0f16", Activation::kInt8);
  ASSERT_NE(h, nullptr);
  EXPECT_LT(compare(*h, golden_, "float", 64).worst, 5e-3);
}

TEST_P(RandomLlama, FourBitWithExactActivations) {
  auto h = harness("q4f16_1", Activation::kFloat32);
  ASSERT_NE(h, nullptr);
  EXPECT_LT(compare(*h, golden_, "q4f16_1", 64).worst, 5e-3);
}

TEST_P(RandomLlama, FourBitWithInt8Activations) {
  auto h = harness("q4f16_1", Activation::kInt8);
  ASSERT_NE(h, nullptr);
  for (int64_t chunk : {7, 64}) {
    const Errors e = compare(*h, golden_, "q4f16_1", chunk);
    EXPECT_LT(e.mean(), 2.5e-2) << "chunk " << chunk;
    EXPECT_LT(e.worst, 4e-2) << "chunk " << chunk;
    RecordProperty("mean_" + std::to_string(chunk), std::to_string(e.mean()));
    RecordProperty("worst_" + std::to_string(chunk), std::to_string(e.worst));
  }
}

// Activations rounded to bf16 where the CPU has fast dot products of pairs, else exact; weights rounded to bf16 always.
TEST_P(RandomLlama, Bfloat16) {
  for (const Activation activation : {Activation::kInt8, Activation::kFloat32}) {
    auto h = harness("q0bf16", activation, DType::f32());
    ASSERT_NE(h, nullptr);
    const Errors e = compare(*h, golden_, "float", 64);
    EXPECT_LT(e.mean(), 2.5e-2);
    EXPECT_LT(e.worst, 4e-2);
    RecordProperty("worst_" + std::to_string(static_cast<int>(activation)), std::to_string(e.worst));
  }
}

TEST_P(RandomLlama, Bfloat16GivesTheSameBitsInChunksOfAnySize) {
  auto h = harness("q0bf16", Activation::kInt8);
  ASSERT_NE(h, nullptr);
  std::map<int64_t, std::vector<float>> want;
  for (int64_t chunk : {64, 1, 3, 5}) {
    auto done = h->run({golden_.prompt}, chunk, [&](int, int64_t pos, std::span<const float> logits) {
      auto [row, fresh] = want.try_emplace(pos, logits.begin(), logits.end());
      ASSERT_TRUE(fresh || std::equal(logits.begin(), logits.end(), row->second.begin())) << chunk << " " << pos;
    });
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
}

// 8-bit codes are finer than the activations' own rounding: close to the float reference.
TEST_P(RandomLlama, EightBit) {
  auto h = harness("q8f16_1", Activation::kInt8);
  ASSERT_NE(h, nullptr);
  EXPECT_LT(compare(*h, golden_, "float", 64).worst, 4e-2);
}

// Keys and values in 8 bits: one scale per token and head.
TEST_P(RandomLlama, IntegerCache) {
  auto h = harness("q0f32", Activation::kInt8, DType::i8());
  ASSERT_NE(h, nullptr);
  const Errors e = compare(*h, golden_, "float", 64);
  EXPECT_LT(e.mean(), 2e-2);
  EXPECT_LT(e.worst, 4e-2);
}

INSTANTIATE_TEST_SUITE_P(Goldens, RandomLlama, ::testing::ValuesIn(testing::random_llama_golden_paths()),
                         [](const auto& tested) { return std::filesystem::path(tested.param).stem().string(); });

// Contexts of several segments, three KV heads: attention runs whole or in parts, depending on the number of threads
// and on what else is in a step. Never on a bit.
TEST(LongContext, TheSameBitsWithAnyNumberOfThreadsAndAnyNeighbours) {
  const auto body = nlohmann::json::parse(R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"],
      "hidden_size": 48, "intermediate_size": 64, "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 8,
      "num_hidden_layers": 2, "vocab_size": 96, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
      "rope_theta": 10000.0, "tie_word_embeddings": true})");
  auto config = model::parse_model_config(body, "this test");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const auto checkpoint = model::synthetic_checkpoint(*config, 7);
  std::vector<int32_t> prompt(2201);
  for (size_t i = 0; i < prompt.size(); ++i) prompt[i] = static_cast<int32_t>((i * i + 5 * i) % 96);
  std::vector<int32_t> other(prompt.rbegin(), prompt.rend());
  other.resize(2300, 11);  // its last 100 rows are computed beside the last row of the prompt
  const std::vector<std::vector<std::vector<int32_t>>> alone_and_not = {{prompt}, {prompt, other}};
  for (const DType kv : {DType::f32(), DType::f16(), DType::i8()}) {
    std::vector<float> want;
    for (const int threads : {1, 2, 4}) {
      auto h = ModelHarness::create(*config, *checkpoint, "q0f32", Activation::kFloat32, 2304, kv, threads);
      ASSERT_TRUE(h.has_value()) << h.error().message;
      // Steps of 220 rows; the last is of a single row, alone or beside a prompt.
      for (const auto& sequences : alone_and_not) {
        std::vector<float> last;
        auto done = (*h)->run(sequences, 220, [&](int s, int64_t pos, std::span<const float> logits) {
          if (s == 0 && pos == 2200) last.assign(logits.begin(), logits.end());
        });
        ASSERT_TRUE(done.has_value()) << done.error().message;
        ASSERT_EQ(last.size(), 96u);
        if (want.empty()) want = last;
        EXPECT_EQ(last, want) << threads << " threads, " << sequences.size() << " sequences, " << kv.str();
      }
    }
  }
}

// The greedy ids and the first 8 rows of logits of a published model.
void check_published(const std::string& dir, const std::string& golden_path) {
  auto config = model::load_model_config(dir);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  auto source = weights::open_weights(dir);
  ASSERT_TRUE(source.has_value()) << source.error().message;
  auto golden = read_json_file(golden_path);
  ASSERT_TRUE(golden.has_value()) << golden.error().message;
  const auto ids = golden->at("ids").get<std::vector<int32_t>>();
  const auto prompt = golden->value("prompt_ids", std::vector<int32_t>{ids[0]});
  auto h = ModelHarness::create(*config, **source, "q0f32", Activation::kInt8,
                                std::min<int64_t>(config->context_limit(), static_cast<int64_t>(ids.size()) + 1));
  ASSERT_TRUE(h.has_value()) << h.error().message;
  auto made = (*h)->greedy(prompt, ids.size() - prompt.size());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(*made, ids);
  const auto& rows = golden->at("logits_first8");
  double worst = 0;
  auto done = (*h)->run({{ids.begin(), ids.begin() + 8}}, 8, [&](int, int64_t pos, std::span<const float> logits) {
    const auto expected = rows.at(static_cast<size_t>(pos)).get<std::vector<double>>();
    for (size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(logits[i] - expected[i]));
  });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_LT(worst, 1e-3);
}

TEST(PublishedModel, TinyStories656K) {
  const std::string dir = testing::data_file("models/tinystories-656k-llama");
  if (!path_exists(dir)) GTEST_SKIP() << dir << " is not there (set MLC_TEST_DATA)";
  check_published(dir, dir + "/golden_greedy.json");
}

// The embedded demo model against transformers in float32.
TEST(DemoModel, GreedyIdsAndLogits) {
  const std::string dir = testing::source_file("models/demo");
  auto config = model::load_model_config(dir);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  auto source = weights::open_weights(dir);
  ASSERT_TRUE(source.has_value()) << source.error().message;
  auto golden = read_json_file(dir + "/golden_greedy.json");
  ASSERT_TRUE(golden.has_value()) << golden.error().message;
  auto h = ModelHarness::create(*config, **source, "q0f32", Activation::kInt8, config->context_limit());
  ASSERT_TRUE(h.has_value()) << h.error().message;
  for (const Json& c : golden->at("cases")) {
    auto expected = c.at("prompt_ids").get<std::vector<int32_t>>();
    const auto prompt = expected;
    const auto generated = c.at("greedy_ids").get<std::vector<int32_t>>();
    expected.insert(expected.end(), generated.begin(), generated.end());
    auto made = (*h)->greedy(prompt, generated.size());
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ(*made, expected) << c.at("prompt");
  }
  const auto prompt = golden->at("cases").at(0).at("prompt_ids").get<std::vector<int32_t>>();
  double worst = 0;
  auto done =
      (*h)->run({{prompt.begin(), prompt.begin() + 3}}, 3, [&](int, int64_t pos, std::span<const float> logits) {
        const auto row = golden->at("logits").at(static_cast<size_t>(pos)).get<std::vector<double>>();
        for (size_t i = 0; i < row.size(); ++i) worst = std::max(worst, std::abs(logits[i] - row[i]));
      });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_LT(worst, 1e-3);
}

// exp of the mean negative log-likelihood of the tokens behind each sequence's first.
double perplexity(ModelHarness& h, const std::vector<std::vector<int32_t>>& sequences) {
  double sum = 0;
  int64_t count = 0;
  auto done = h.run(sequences, 64, [&](int sequence, int64_t pos, std::span<const float> logits) {
    const auto& ids = sequences[static_cast<size_t>(sequence)];
    const auto next = static_cast<size_t>(pos) + 1;
    if (next >= ids.size()) return;
    const float top = *std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (const float x : logits) total += std::exp(static_cast<double>(x - top));
    sum += std::log(total) - static_cast<double>(logits[static_cast<size_t>(ids[next])] - top);
    ++count;
  });
  EXPECT_TRUE(done.has_value()) << done.error().message;
  return std::exp(sum / static_cast<double>(count));
}

// Integer activations may cost the demo model half a percent of perplexity, no more.
TEST(DemoModel, PerplexityWithIntegerActivations) {
  const std::string dir = testing::source_file("models/demo");
  auto config = model::load_model_config(dir);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  auto source = weights::open_weights(dir);
  ASSERT_TRUE(source.has_value()) << source.error().message;
  auto golden = read_json_file(dir + "/golden_greedy.json");
  ASSERT_TRUE(golden.has_value()) << golden.error().message;
  std::vector<std::vector<int32_t>> sequences;
  for (const Json& c : golden->at("cases")) {
    sequences.push_back(c.at("prompt_ids").get<std::vector<int32_t>>());
    const auto generated = c.at("greedy_ids").get<std::vector<int32_t>>();
    sequences.back().insert(sequences.back().end(), generated.begin(), generated.end());
  }
  for (const char* scheme : {"q4f16_1", "q8f16_1"}) {
    double found[2];
    for (const Activation activation : {Activation::kFloat32, Activation::kInt8}) {
      auto h = ModelHarness::create(*config, **source, scheme, activation, config->context_limit());
      ASSERT_TRUE(h.has_value()) << h.error().message;
      found[activation == Activation::kInt8] = perplexity(**h, sequences);
    }
    EXPECT_NEAR(found[1] / found[0], 1.0, 0.005) << scheme << ": " << found[0] << " became " << found[1];
  }
}

TEST(PublishedModel, Stories260KFromLlama2c) {
  const std::string dir = testing::data_file("models/stories260K");
  if (!path_exists(dir)) GTEST_SKIP() << dir << " is not there (set MLC_TEST_DATA)";
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp.has_value());
  const std::string out = tmp->file("hf");
  auto imported = weights::import_llama2c(dir + "/stories260K.bin", out);
  ASSERT_TRUE(imported.has_value()) << imported.error().message;
  check_published(out, dir + "/golden_greedy.json");
}

}  // namespace
}  // namespace mlc
