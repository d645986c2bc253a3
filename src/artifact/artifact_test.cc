#include "artifact/artifact.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "artifact/abi.h"

namespace mlc::artifact {
namespace {

Artifact sample() {
  Artifact a;
  a.abi_version = kAbiVersion;
  a.compiler = "mlc_llm 0.1.0 \"quoted\"";
  a.target = "x86_64 znver4";
  a.target_features = "avx2,fma";
  a.layout_id = "l1";
  a.facts.model_type = "llama";
  a.facts.quantization = "q0f32";
  a.facts.activation = "f32";
  a.facts.vocab_size = 32;
  a.facts.hidden_size = 8;
  a.facts.num_layers = 1;
  a.facts.num_heads = 2;
  a.facts.num_kv_heads = 1;
  a.facts.head_dim = 4;
  a.facts.context_window_size = 64;
  a.facts.prefill_chunk_size = 16;
  a.facts.max_batch_size = 4;
  a.facts.rope = {{1.0f, 0.1f}, 1.25f};
  a.params.push_back({{"embed", DType::f32(), {32, 8}}, {{"model.embed", DType::f32(), {32, 8}}}, ""});
  a.params.push_back({{"w", DType::u8(), {128}}, {{"q", DType::u32(), {8, 2}}, {"s", DType::f16(), {8, 4}}}, "pack_w"});
  a.inputs.push_back({"token_ids", DType::i32(), {-1}});
  a.outputs.push_back({"logits", DType::f32(), {-1, 32}});
  a.kv = {{"0.k", DType::f16(), {-1, 1, 4, 16}}, {"0.v", DType::f16(), {-1, 1, 16, 4}}};
  a.plan.temps.push_back({"x", DType::f32(), {0, {}}, {0, {32, 0, 0, 0}}});
  a.plan.temp_bytes = {64, {32, 0, 0, 0}};
  a.plan.calls.push_back({"embed",
                          Symbol::kNumTokens,
                          {{"embed_1", 1, 1}, {"embed_n", 2, -1}},
                          {{BufferKind::kParam, 0}, {BufferKind::kInput, 0}, {BufferKind::kTemp, 0}},
                          {{0, {1, 0, 0, 0}}},
                          1024,
                          7});
  a.plan.calls.push_back({"attend", Symbol::kNumLogitRows, {{"attend", 0, -1}}, {{BufferKind::kKv, 1}}, {}, 0, 0});
  return a;
}

TEST(Artifact, JsonRoundTripIsExact) {
  const Artifact a = sample();
  const std::string json = write_json(a);
  auto b = read_json(json);
  ASSERT_TRUE(b) << b.error().message;
  EXPECT_EQ(write_json(*b), json);
  EXPECT_EQ(print_plan(*b), print_plan(a));
  EXPECT_EQ(b->facts.rope.inv_freq, a.facts.rope.inv_freq);
  EXPECT_EQ(b->plan.calls[0].sizes[0], a.plan.calls[0].sizes[0]);
  EXPECT_EQ(b->params[1].sources[1].dtype, DType::f16());
}

TEST(Artifact, PrintsThePlan) {
  const std::string text = print_plan(sample());
  EXPECT_NE(text.find("embed(embed, in.token_ids, %x; T) by T: 1..1: embed_1 2..: embed_n"), std::string::npos) << text;
  EXPECT_NE(text.find("kv.0.v"), std::string::npos) << text;
}

TEST(Artifact, LinearSize) {
  SymbolValues s;
  s[Symbol::kNumTokens] = 3;
  s[Symbol::kNumPages] = 5;
  EXPECT_EQ((LinearSize{7, {2, 100, 0, 10}}).eval(s), 7 + 6 + 50);
}

// Damages one place of the JSON and returns the message.
std::string damaged(const std::function<void(nlohmann::json&)>& damage) {
  auto j = nlohmann::json::parse(write_json(sample()));
  damage(j);
  auto r = read_json(j.dump());
  return r ? "accepted" : r.error().message;
}

TEST(Artifact, DamageIsNamed) {
  auto expect = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nexpected to contain: " << part;
  };
  expect(damaged([](auto& j) { j["abi_version"] = 999; }), "interface version 999");
  expect(damaged([](auto& j) { j.erase("facts"); }), "\"facts\" is missing");
  expect(damaged([](auto& j) { j["facts"]["vocab_size"] = -1; }), "/facts/vocab_size");
  expect(damaged([](auto& j) { j["facts"]["vocab_size"] = "many"; }), "expected an integer");
  expect(damaged([](auto& j) { j["facts"]["kv_dtype"] = "f13"; }), "\"f13\" is no element type");
  expect(damaged([](auto& j) { j["facts"]["rope"]["inv_freq"].push_back(1); }), "head_dim/2");
  expect(damaged([](auto& j) { j["params"][0]["sources"][0]["shape"] = {31, 8}; }), "/params/0");
  expect(damaged([](auto& j) { j["params"][0]["packed"]["shape"] = {1LL << 40, 1LL << 40}; }), "too large");
  expect(damaged([](auto& j) { j["plan"]["calls"][0]["buffers"][0] = {"p", 2}; }), "index 2");
  expect(damaged([](auto& j) { j["plan"]["calls"][1]["buffers"][0] = {"k", 2}; }), "index 2");
  expect(damaged([](auto& j) { j["plan"]["calls"][0]["buffers"][0] = {"z", 0}; }), "no kind of buffer");
  expect(damaged([](auto& j) { j["plan"]["calls"][0]["variants"].erase(1); }), "from 2 up");
  expect(damaged([](auto& j) { j["plan"]["calls"][0]["variants"].erase(0); }), "does not continue");
  expect(damaged([](auto& j) { j["plan"]["calls"][0]["sizes"][0] = {1, 2}; }), "expected 6 elements");
  expect(damaged([](auto& j) { j["plan"]["calls"][1]["when"] = 3; }), "/plan/calls/1/when");
  expect(damaged([](auto& j) { j["plan"]["calls"][1]["when"] = 2; }), "without the length of segments");
  expect(damaged([](auto& j) { j["plan"]["calls"][0]["rows"] = 9; }), "/plan/calls/0/rows");
  EXPECT_NE(read_json("{").error().message.find("not valid JSON"), std::string::npos);
  EXPECT_FALSE(read_json("[]"));
  EXPECT_FALSE(read_json("null"));
}

// Whatever bytes change, reading never crashes: it succeeds or names a problem.
TEST(Artifact, RandomDamageIsHandled) {
  const std::string good = write_json(sample());
  std::mt19937 rng(7);
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 1 + i % 3; ++k) bad[rng() % bad.size()] = "0-\"[]{},x9"[rng() % 10];
    if (i % 5 == 0) bad.resize(rng() % bad.size());
    auto r = read_json(bad);
    if (r) {
      EXPECT_FALSE(print_plan(*r).empty());
    } else {
      EXPECT_FALSE(r.error().message.empty());
    }
  }
}

}  // namespace
}  // namespace mlc::artifact
