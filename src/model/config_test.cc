#include "model/config.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"

namespace mlc::model {
namespace {

Json tiny() {
  return Json::parse(R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 128,
    "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4,
    "vocab_size": 2048, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 512,
    "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": [2, 7], "torch_dtype": "float32"})");
}

std::string refusal(const Json& body) {
  auto parsed = parse_model_config(body, "config.json");
  return parsed ? "accepted" : parsed.error().message;
}

std::string refusal_with(const char* key, const Json& value) {
  Json body = tiny();
  body[key] = value;
  return refusal(body);
}

TEST(ModelConfig, ReadsAHuggingFaceBody) {
  auto c = parse_model_config(tiny(), "config.json");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->model_type, "llama");
  EXPECT_EQ(c->head_dim, 16);
  EXPECT_EQ(c->qkv_size(), 128 + 2 * 64);
  EXPECT_TRUE(c->tie_word_embeddings);
  EXPECT_FALSE(c->qkv_bias);
  EXPECT_EQ(c->eos_token_ids, (std::vector<int64_t>{2, 7}));
  EXPECT_EQ(c->context_limit(), 512);
  // 2 layers of (128*256 + 128*128 + 3*128*384 + 256), the embedding once, the last norm.
  EXPECT_EQ(c->num_parameters(), 2 * (32768 + 16384 + 147456 + 256) + 2048 * 128 + 128);
}

TEST(ModelConfig, SizesThatCannotBeAreRefusedInOneLine) {
  EXPECT_EQ(refusal_with("hidden_size", 0), "config.json: \"hidden_size\" is 0; expected at least 1");
  EXPECT_EQ(refusal_with("vocab_size", -5), "config.json: \"vocab_size\" is -5; expected at least 1");
  EXPECT_EQ(refusal_with("num_hidden_layers", "two"),
            "config.json: \"num_hidden_layers\" is \"two\"; expected a whole number");
  EXPECT_EQ(refusal_with("num_hidden_layers", 2.5),
            "config.json: \"num_hidden_layers\" is 2.5; expected a whole number");
  EXPECT_NE(refusal_with("num_key_value_heads", 3).find("not a multiple"), std::string::npos);
  EXPECT_NE(refusal_with("hidden_size", 129).find("not a multiple"), std::string::npos);
  EXPECT_NE(refusal_with("head_dim", 15).find("even"), std::string::npos);
  EXPECT_NE(refusal_with("hidden_size", uint64_t{1} << 63).find("larger than any real model"), std::string::npos);
  EXPECT_NE(refusal_with("intermediate_size", 1 << 30).find("cannot be real"), std::string::npos);
  EXPECT_NE(refusal_with("rms_norm_eps", "small").find("expected a number"), std::string::npos);
  EXPECT_NE(refusal_with("rope_theta", -1).find("rope_theta"), std::string::npos);
  EXPECT_NE(refusal_with("tie_word_embeddings", 1).find("true or false"), std::string::npos);
  EXPECT_NE(refusal_with("hidden_act", "gelu").find("supported is silu"), std::string::npos);
  EXPECT_NE(refusal_with("eos_token_id", 5000).find("outside the vocabulary"), std::string::npos);
  EXPECT_NE(refusal_with("architectures", Json::array()).find("expected a list"), std::string::npos);
  Json missing = tiny();
  missing.erase("intermediate_size");
  EXPECT_EQ(refusal(missing), "config.json: the field \"intermediate_size\" is missing");
  EXPECT_EQ(refusal(Json::array()), "config.json: expected a JSON object");
}

TEST(ModelConfig, UnknownArchitectureNamesTheSupportedOnes) {
  EXPECT_EQ(refusal_with("architectures", Json::array({"MambaForCausalLM"})),
            "config.json: the architecture \"MambaForCausalLM\" is unknown; supported are LlamaForCausalLM, "
            "MistralForCausalLM, Qwen2ForCausalLM");
  Json body = tiny();
  body.erase("architectures");
  body["model_type"] = "gpt2";
  EXPECT_NE(refusal(body).find("\"gpt2\" is unknown"), std::string::npos);
  body.erase("model_type");
  EXPECT_NE(refusal(body).find("says what this model is"), std::string::npos);
}

TEST(ModelConfig, WindowsLimitTheContext) {
  Json body = tiny();
  body["architectures"] = {"MistralForCausalLM"};
  body["sliding_window"] = 100;
  EXPECT_EQ(parse_model_config(body, "x")->context_limit(), 100);
  body["sliding_window"] = nullptr;
  EXPECT_EQ(parse_model_config(body, "x")->context_limit(), 512);
  body["architectures"] = {"Qwen2ForCausalLM"};
  body["sliding_window"] = 100;
  body["use_sliding_window"] = false;
  auto qwen = parse_model_config(body, "x");
  EXPECT_EQ(qwen->context_limit(), 512);
  EXPECT_TRUE(qwen->qkv_bias);
  EXPECT_FALSE(qwen->o_bias);
  body["use_sliding_window"] = true;
  EXPECT_EQ(parse_model_config(body, "x")->context_limit(), 100);
}

TEST(ModelConfig, RoundTripsThroughTheMlcBody) {
  Json body = tiny();
  body["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 32.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 64}};
  auto c = parse_model_config(body, "x");
  ASSERT_TRUE(c) << c.error().message;
  const Json mlc = Json::parse(model_config_json(*c, 512, 256, 8).dump());
  EXPECT_EQ(mlc["position_embedding_base"], 10000.0);
  auto again = parse_model_config(mlc, "x", "llama");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->rope_scaling, c->rope_scaling);
  EXPECT_EQ(again->rope_theta, c->rope_theta);
  EXPECT_EQ(again->num_parameters(), c->num_parameters());
  EXPECT_EQ(again->max_position_embeddings, c->max_position_embeddings);
}

TEST(ModelConfig, LoadsFromDirectories) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  EXPECT_NE(load_model_config(tmp->path()).error().message.find("holds neither"), std::string::npos);
  Json mlc = {{"model_type", "llama"}, {"eos_token_id", {3}}, {"model_config", tiny()}};
  mlc["model_config"].erase("architectures");
  mlc["model_config"].erase("eos_token_id");
  mlc["model_config"].erase("model_type");
  ASSERT_TRUE(write_file_atomic(tmp->file("mlc-chat-config.json"), mlc.dump()));
  auto c = load_model_config(tmp->path());
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->eos_token_ids, std::vector<int64_t>{3});
  ASSERT_TRUE(write_file_atomic(tmp->file("config.json"), "{"));
  EXPECT_NE(load_model_config(tmp->path()).error().message.find("not valid JSON"), std::string::npos);
}

RopeFrequencies rope_of(int64_t head_dim, double theta, Json scaling, bool as_parameters = false) {
  Json body = tiny();
  body["head_dim"] = head_dim;
  body["rope_theta"] = theta;
  body["max_position_embeddings"] = 131072;
  body[as_parameters ? "rope_parameters" : "rope_scaling"] = std::move(scaling);
  auto c = parse_model_config(body, "x");
  EXPECT_TRUE(c) << c.error().message;
  return compute_rope(*c);
}

// The numbers are transformers 5 (modeling_rope_utils) at dimensions 0, 1, 5, d/4, d/4 + 3, d/2 - 1.
void expect_frequencies(const RopeFrequencies& rope, std::vector<float> expected) {
  const size_t half = rope.inv_freq.size();
  const size_t at[] = {0, 1, 5, half / 2, half / 2 + 3, half - 1};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(rope.inv_freq[at[i]] / expected[i], 1.0f, 5e-7) << "dimension " << at[i];
}

TEST(Rope, MatchesTransformers) {
  const Json llama3 = {{"rope_type", "llama3"},
                       {"factor", 32.0},
                       {"low_freq_factor", 1.0},
                       {"high_freq_factor", 4.0},
                       {"original_max_position_embeddings", 8192}};
  expect_frequencies(rope_of(64, 5e5, llama3), {1.0f, 0.663601279258728f, 0.12868738174438477f, 0.000429556705057621f,
                                                1.291476746700937e-05f, 9.418306490260875e-08f});
  Json wide = llama3;
  wide["factor"] = 8.0;
  expect_frequencies(rope_of(128, 5e5, wide), {1.0f, 0.8146172165870667f, 0.3587302267551422f, 0.0005248460220173001f,
                                               9.556212171446532e-05f, 3.068925877869333e-07f});
  const RopeFrequencies yarn =
      rope_of(128, 1e6, {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32768}});
  expect_frequencies(yarn, {1.0f, 0.8058422207832336f, 0.33982083201408386f, 0.0006029411451891065f,
                            0.0002462583943270147f, 3.102344408034696e-07f});
  EXPECT_FLOAT_EQ(yarn.attention_scaling, 1.138629436111989f);
  const RopeFrequencies linear =
      rope_of(64, 5.0, {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 1e4}}, true);
  expect_frequencies(linear, {0.5f, 0.37494710087776184f, 0.11856868118047714f, 0.004999999888241291f,
                              0.0021084824111312628f, 6.667607522103935e-05f});
}

TEST(Rope, UnsupportedScalingIsNamed) {
  EXPECT_EQ(refusal_with("rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}),
            "config.json: in \"rope_scaling\": the type \"dynamic\" is not supported; supported are default, linear, "
            "llama3, yarn");
  EXPECT_NE(refusal_with("rope_scaling", 7).find("expected an object"), std::string::npos);
}

}  // namespace
}  // namespace mlc::model
