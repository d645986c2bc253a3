#include "model/chat_config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "../tests/support/source_dir.h"
#include "base/file.h"
#include "model/conv_template.h"
#include "model/presets.h"

namespace mlc::model {
namespace {

using testing::data_file;

TEST(Presets, AliasesNameOneShape) {
  auto a = preset_config("llama3_2_1b");
  auto b = preset_config("llama-3.2-1b");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->hidden_size, 2048);
  EXPECT_EQ(b->num_parameters(), a->num_parameters());
  EXPECT_EQ(a->num_parameters(), 1235814400);  // as Meta counts it
  EXPECT_NE(preset_config("llama-9").error().message.find("the presets are codellama_13b"), std::string::npos);
  std::set<std::string> seen;
  for (const std::string& name : preset_names()) {
    auto c = preset_config(name);
    EXPECT_TRUE(c) << name << ": " << c.error().message;
    std::string plain;
    for (char ch : name) {
      if (std::isalnum(static_cast<unsigned char>(ch))) plain += ch;
    }
    EXPECT_TRUE(seen.insert(plain).second) << name;
  }
  EXPECT_EQ(preset_config("llama-3-8b")->num_parameters(), 8030261248);
  EXPECT_EQ(preset_config("qwen2.5-0.5b")->num_parameters(), 494032768);
  EXPECT_EQ(preset_config("Qwen2.5-7B")->num_parameters(), 7615616512);
  EXPECT_EQ(preset_config("mistral_7b")->context_limit(), 4096);
  EXPECT_TRUE(preset_config("qwen2.5_3b")->qkv_bias);
}

TEST(ConvTemplates, AreWhatMlcWrites) {
  EXPECT_EQ(conv_template_names().size(), 53u);
  EXPECT_NE(conv_template("nope").error().message.find("choose auto, "), std::string::npos);
  const std::string path = data_file("mlc/conv_templates.json");
  if (!path_exists(path)) GTEST_SKIP() << path << " is not there (set MLC_TEST_DATA)";
  const Json reference = *read_json_file(path);
  for (const auto& [name, body] : reference.items()) {
    auto ours = conv_template(name);
    ASSERT_TRUE(ours);
    EXPECT_EQ(Json::parse(ours->dump()), body) << name;
  }
}

TEST(ConvTemplates, ChoiceFollowsTheMarkers) {
  EXPECT_EQ(choose_conv_template("llama", "{{ '<|start_header_id|>' }}"), "llama-3");
  EXPECT_EQ(choose_conv_template("qwen2", "<|im_start|>"), "qwen2");
  EXPECT_EQ(choose_conv_template("llama", "<|im_start|>"), "chatml");
  EXPECT_EQ(choose_conv_template("llama", "[INST] <<SYS>>"), "llama-2");
  EXPECT_EQ(choose_conv_template("mistral", "[INST]"), "mistral_default");
  EXPECT_EQ(choose_conv_template("llama", ""), "LM");
}

// A Hugging Face directory without weights.
struct Directory {
  TempDir tmp = *TempDir::create();
  Json config = {{"architectures", {"Qwen2ForCausalLM"}},
                 {"hidden_size", 64},
                 {"intermediate_size", 80},
                 {"num_hidden_layers", 2},
                 {"num_attention_heads", 4},
                 {"num_key_value_heads", 2},
                 {"vocab_size", 101},
                 {"eos_token_id", 90},
                 {"max_position_embeddings", 4096}};
  Json tokenizer_config = {{"eos_token", "<|im_end|>"}, {"bos_token", nullptr}, {"chat_template", "<|im_start|>{{x}}"}};
  Json tokenizer = {
      {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}, {"<|endoftext|>", 90}}}, {"merges", Json::array()}}},
      {"added_tokens", {{{"id", 90}, {"content", "<|endoftext|>"}}, {{"id", 91}, {"content", "<|im_end|>"}}}},
      {"decoder", {{"type", "ByteLevel"}}}};
  Json generation = {{"temperature", 0.7}, {"top_k", 20}, {"eos_token_id", {92, 90}}};

  GenConfigOptions options() const {
    EXPECT_TRUE(make_directories(tmp.file("hf")));
    EXPECT_TRUE(write_file_atomic(tmp.file("hf/config.json"), config.dump()));
    EXPECT_TRUE(write_file_atomic(tmp.file("hf/tokenizer_config.json"), tokenizer_config.dump()));
    if (!tokenizer.is_null()) {
      EXPECT_TRUE(write_file_atomic(tmp.file("hf/tokenizer.json"), tokenizer.dump()));
    }
    EXPECT_TRUE(write_file_atomic(tmp.file("hf/generation_config.json"), generation.dump()));
    GenConfigOptions o;
    o.source_dir = tmp.file("hf");
    o.quantization = "q4f16_1";
    o.out_dir = tmp.file("out");
    return o;
  }
};

TEST(GenConfig, WritesADirectoryThatReadsBack) {
  Directory d;
  auto report = gen_config(d.options());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->warnings.empty());
  auto c = load_chat_config(d.tmp.file("out"));
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->quantization, "q4f16_1");
  EXPECT_EQ(c->model.model_type, "qwen2");
  EXPECT_EQ(c->model.qkv_size(), 128);
  EXPECT_TRUE(c->model.qkv_bias);
  EXPECT_EQ(c->context_window_size, 4096);
  EXPECT_EQ(c->prefill_chunk_size, 2048);
  EXPECT_EQ(c->active_vocab_size, 4);
  EXPECT_EQ(c->sampling.temperature, 0.7);
  EXPECT_EQ(c->sampling.top_p, 1.0);
  EXPECT_EQ(c->sampling.top_k, 20);
  EXPECT_EQ(c->eos_token_ids, (std::vector<int64_t>{92, 90, 91}));
  EXPECT_EQ(c->tokenizer_info.token_postproc_method, "byte_level");
  EXPECT_EQ(c->chat_template, "<|im_start|>{{x}}");
  EXPECT_EQ(c->conv_template["name"], "qwen2");
  EXPECT_EQ(c->conv_template["stop_token_ids"], (Json{92, 90, 91}));
  EXPECT_EQ(c->tokenizer_files, (std::vector<std::string>{"tokenizer.json", "tokenizer_config.json"}));
  EXPECT_EQ(*read_file(d.tmp.file("out/tokenizer.json")), *read_file(d.tmp.file("hf/tokenizer.json")));
  EXPECT_EQ(chat_config_text(*c), *read_file(d.tmp.file("out/mlc-chat-config.json")));
}

TEST(GenConfig, FieldsAreMlcs) {
  Directory d;
  ASSERT_TRUE(gen_config(d.options()));
  const Json body = *read_json_file(d.tmp.file("out/mlc-chat-config.json"));
  for (const char* key : {"version",
                          "model_type",
                          "quantization",
                          "model_config",
                          "vocab_size",
                          "context_window_size",
                          "sliding_window_size",
                          "prefill_chunk_size",
                          "attention_sink_size",
                          "tensor_parallel_shards",
                          "pipeline_parallel_stages",
                          "active_vocab_size",
                          "temperature",
                          "presence_penalty",
                          "frequency_penalty",
                          "repetition_penalty",
                          "top_p",
                          "tokenizer_files",
                          "tokenizer_info",
                          "conv_template",
                          "pad_token_id",
                          "bos_token_id",
                          "eos_token_id",
                          "model_task"}) {
    EXPECT_TRUE(body.contains(key)) << key;
  }
  EXPECT_EQ(body["version"], "0.1.0");
}

TEST(GenConfig, ANamedTemplateIsWrittenAsItIs) {
  Directory d;
  GenConfigOptions o = d.options();
  o.conv_template = "chatml";
  auto report = gen_config(o);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->config.chat_template.empty());
  EXPECT_EQ(report->config.conv_template, *conv_template("chatml"));
}

TEST(GenConfig, ATemplateOfAnotherVocabularyIsRefused) {
  Directory d;
  GenConfigOptions o = d.options();
  o.conv_template = "llama-3";  // begins prompts with token 128000
  auto report = gen_config(o);
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("128000"), std::string::npos) << report.error().message;
}

TEST(GenConfig, BadInputGetsOneLineAndLeavesNothing) {
  Directory d;
  const auto refusal = [&](const auto& change) {
    GenConfigOptions o = d.options();
    change(o);
    auto report = gen_config(o);
    EXPECT_FALSE(path_exists(d.tmp.file("out")));
    return report ? "accepted" : report.error().message;
  };
  EXPECT_NE(refusal([](auto& o) { o.quantization = "q9"; }).find("\"q9\" is unknown"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.conv_template = "x"; }).find("no conversation template"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.tensor_parallel_shards = 2; }).find("only 1"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.sliding_window_size = 100; }).find("not supported"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.context_window_size = 0; }).find("at least 1"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.source_dir += "x"; }).find("no such file"), std::string::npos);
  d.tokenizer["added_tokens"].push_back({{"id", 93}, {"content", "<|im_end|>"}});
  EXPECT_NE(refusal([](auto&) {}).find("\"<|im_end|>\" is there twice"), std::string::npos);
  d.config["hidden_size"] = 0;
  EXPECT_NE(refusal([](auto&) {}).find("\"hidden_size\" is 0"), std::string::npos);
}

TEST(GenConfig, TokenizersAreAssembledOrAbsent) {
  Directory d;
  const std::string text = d.tokenizer.dump();
  d.tokenizer = nullptr;
  GenConfigOptions o = d.options();
  auto none = gen_config(o);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->warnings.size(), 1u);
  EXPECT_EQ(none->config.active_vocab_size, 101);
  o.assemble_tokenizer = [&](const std::string&) -> Result<std::string> { return text; };
  auto made = gen_config(o);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->warnings.empty());
  EXPECT_EQ(*read_file(d.tmp.file("out/tokenizer.json")), text);
  EXPECT_EQ(made->config.active_vocab_size, 4);
}

TEST(ChatConfig, ReadsWhatMlcPublishes) {
  auto tmp = TempDir::create();
  const Json body = Json::parse(R"({"version": "0.1.0", "model_type": "llama", "quantization": "q4f32_1",
    "model_config": {"hidden_size": 64, "intermediate_size": 80, "num_attention_heads": 4, "num_hidden_layers": 2,
      "rms_norm_eps": 1e-05, "vocab_size": 101, "position_embedding_base": 500000, "context_window_size": 768,
      "prefill_chunk_size": 512, "num_key_value_heads": 2, "head_dim": 16, "tensor_parallel_shards": 1,
      "max_batch_size": 80},
    "vocab_size": 101, "context_window_size": -1, "sliding_window_size": -1, "prefill_chunk_size": 9999,
    "temperature": 0.6, "conv_template": "llama-2", "bos_token_id": 1, "eos_token_id": [2, 3]})");
  ASSERT_TRUE(write_file_atomic(tmp->file("mlc-chat-config.json"), body.dump()));
  auto c = load_chat_config(tmp->path());
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->model.rope_theta, 500000);
  EXPECT_EQ(c->context_window_size, 768);
  EXPECT_EQ(c->prefill_chunk_size, 768);
  EXPECT_EQ(c->max_batch_size, 80);
  EXPECT_EQ(c->conv_template["name"], "llama-2");
  EXPECT_EQ(c->eos_token_ids, (std::vector<int64_t>{2, 3}));
  Json bad = body;
  bad["temperature"] = "hot";
  ASSERT_TRUE(write_file_atomic(tmp->file("mlc-chat-config.json"), bad.dump()));
  EXPECT_NE(load_chat_config(tmp->path()).error().message.find("\"temperature\" is \"hot\"; expected a number"),
            std::string::npos);
}

TEST(GenConfig, TheRealModel) {
  const std::string dir = data_file("models/tinystories-656k-llama");
  if (!is_directory(dir)) GTEST_SKIP() << dir << " is not there (set MLC_TEST_DATA)";
  auto tmp = TempDir::create();
  GenConfigOptions o;
  o.source_dir = dir;
  o.quantization = "q0f32";
  o.out_dir = tmp->file("out");
  auto report = gen_config(o);
  ASSERT_TRUE(report) << report.error().message;
  const ChatConfig& c = report->config;
  EXPECT_EQ(c.active_vocab_size, 2048);
  EXPECT_EQ(c.eos_token_ids, std::vector<int64_t>{2});
  EXPECT_EQ(c.context_window_size, 512);
  EXPECT_EQ(c.conv_template["name"], "LM");
  EXPECT_EQ(c.tokenizer_info.token_postproc_method, "byte_fallback");
  EXPECT_TRUE(load_chat_config(tmp->file("out")));
}

}  // namespace
}  // namespace mlc::model
