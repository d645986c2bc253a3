#include "model/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "weights/mlc_shards.h"
#include "weights/open.h"
#include "weights/safetensors.h"

#ifndef _WIN32
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace mlc::model {
namespace {

ModelConfig small(const char* architecture = "LlamaForCausalLM", bool tied = true) {
  const Json body = {{"architectures", {architecture}},
                     {"hidden_size", 64},
                     {"intermediate_size", 80},
                     {"num_hidden_layers", 2},
                     {"num_attention_heads", 4},
                     {"num_key_value_heads", 2},
                     {"vocab_size", 101},
                     {"tie_word_embeddings", tied}};
  return *parse_model_config(body, "test");
}

const quant::Scheme& scheme(const char* name) { return **quant::scheme_by_name(name); }

std::vector<float> floats_of(const weights::TensorSource& source, const std::string& name) {
  auto data = source.read(name);
  EXPECT_TRUE(data) << data.error().message;
  std::vector<float> out(static_cast<size_t>(data->info.num_elements()));
  weights::to_f32(data->info.dtype, data->bytes, 0, data->info.num_elements(), out.data());
  return out;
}

// A copy of a checkpoint in memory, with one tensor left out or replaced.
std::unique_ptr<weights::MemorySource> copy_of(const weights::TensorSource& source, const std::string& except = "") {
  auto copy = std::make_unique<weights::MemorySource>();
  for (const weights::TensorInfo& info : source.tensors()) {
    if (info.name == except) continue;
    auto data = source.read(info.name);
    copy->put(info, {data->bytes.begin(), data->bytes.end()});
  }
  return copy;
}

TEST(Convert, EveryMatrixDecodesToItsSources) {
  const ModelConfig config = small("Qwen2ForCausalLM", false);
  const auto source = synthetic_checkpoint(config, 3);
  for (const quant::Scheme* s : quant::all_schemes()) {
    auto tmp = TempDir::create();
    int64_t seen = 0;
    ConvertOptions options;
    options.num_threads = 3;
    options.progress = [&](const ConvertProgress& p) {
      EXPECT_GT(p.done, seen);
      EXPECT_LE(p.done, p.total);
      seen = p.done;
    };
    auto report = convert(*source, config, *s, tmp->file("out"), options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(seen, config.num_parameters());
    EXPECT_TRUE(report->warnings.empty());
    auto stored = weights::open_mlc_shards(tmp->file("out"), {.verify_md5 = true});
    ASSERT_TRUE(stored) << stored.error().message;
    ASSERT_TRUE(check_stored_tensors(**stored, config, *s));
    EXPECT_EQ((*stored)->tensors().size(), stored_tensors(config, *s).size());
    for (const ParamRule& rule : param_rules(config)) {
      std::vector<float> expected;
      for (const ParamSource& p : rule.sources) {
        const auto part = floats_of(*source, p.name);
        expected.insert(expected.end(), part.begin(), part.end());
      }
      if (!rule.is_matrix) {
        const auto found = floats_of(**stored, rule.name);
        for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], quant::round_to(s->model_dtype(), expected[i]));
        continue;
      }
      std::vector<weights::TensorData> data;
      std::vector<std::span<const std::byte>> buffers;
      for (const quant::Part& part : s->parts(rule.n, rule.k))
        data.push_back(*(*stored)->read(rule.name + part.suffix));
      for (const auto& d : data) buffers.push_back(d.bytes);
      std::vector<float> found(expected.size());
      s->decode(buffers, 0, rule.n, rule.k, found.data());
      double error = 0, norm = 0;
      for (size_t i = 0; i < found.size(); ++i) {
        error += std::pow(found[i] - expected[i], 2);
        norm += std::pow(expected[i], 2);
      }
      const double limit = !s->is_quantized() ? 3e-3 : s->bits() == 8 ? 6e-3 : 9e-2;
      EXPECT_LT(std::sqrt(error / norm), s->name() == "q0f32" ? 1e-30 : limit) << s->name() << " " << rule.name;
    }
  }
}

TEST(Convert, NamesFollowMlc) {
  const auto names = [](const ModelConfig& config) {
    std::set<std::string> set;
    for (const auto& info : stored_tensors(config, scheme("q4f16_1"))) set.insert(info.name + " " + info.str());
    return set;
  };
  const auto llama = names(small());
  EXPECT_TRUE(llama.count("model.embed_tokens.q_weight u32[101, 8]"));
  EXPECT_TRUE(llama.count("model.embed_tokens.q_scale f16[101, 2]"));
  EXPECT_TRUE(llama.count("model.layers.1.self_attn.qkv_proj.q_weight u32[128, 8]"));
  EXPECT_TRUE(llama.count("model.layers.1.mlp.gate_up_proj.q_scale f16[160, 2]"));
  EXPECT_TRUE(llama.count("model.layers.0.mlp.down_proj.q_weight u32[64, 12]"));
  EXPECT_TRUE(llama.count("model.norm.weight f16[64]"));
  EXPECT_FALSE(llama.count("lm_head.q_weight u32[101, 8]"));
  const auto qwen = names(small("Qwen2ForCausalLM", false));
  EXPECT_TRUE(qwen.count("model.layers.0.self_attn.c_attn.q_weight u32[128, 8]"));
  EXPECT_TRUE(qwen.count("model.layers.0.self_attn.c_attn.bias f16[128]"));
  EXPECT_TRUE(qwen.count("lm_head.q_weight u32[101, 8]"));
}

TEST(Convert, TiedEmbeddingMayBeStoredUnderEitherName) {
  const ModelConfig config = small();
  const auto source = synthetic_checkpoint(config, 3);
  const auto embedding = floats_of(*source, "model.embed_tokens.weight");
  auto renamed = copy_of(*source, "model.embed_tokens.weight");
  renamed->put_f32("lm_head.weight", {101, 64}, embedding);
  auto tmp = TempDir::create();
  ASSERT_TRUE(convert(*renamed, config, scheme("q0f32"), tmp->file("a")));
  EXPECT_EQ(floats_of(**weights::open_weights(tmp->file("a")), "model.embed_tokens.weight"), embedding);
  renamed->add_alias("model.embed_tokens.weight", "lm_head.weight");
  auto report = convert(*renamed, config, scheme("q0f32"), tmp->file("b"));
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->warnings.empty());
}

TEST(Convert, BadCheckpointsGetOneLineAndLeaveNothing) {
  auto tmp = TempDir::create();
  const ModelConfig config = small("LlamaForCausalLM", false);
  const auto good = synthetic_checkpoint(config, 3);
  const auto refusal = [&](const weights::TensorSource& source, const char* name = "q4f16_1") {
    auto report = convert(source, config, scheme(name), tmp->file("out"));
    EXPECT_FALSE(path_exists(tmp->file("out")));
    return report ? "accepted" : report.error().message;
  };
  EXPECT_NE(refusal(*copy_of(*good, "lm_head.weight")).find("missing tensors: \"lm_head.weight\"; if the model shares"),
            std::string::npos);
  EXPECT_NE(refusal(weights::MemorySource()).find(" and 17 more"), std::string::npos);
  const std::string name = "model.layers.1.mlp.down_proj.weight";
  const std::vector<float> values(64 * 80, 0.5f);
  auto source = copy_of(*good, name);
  source->put_f32(name, {80, 64}, values);
  EXPECT_NE(refusal(*source).find("has the shape [80, 64]; config.json asks for [64, 80]"), std::string::npos);
  source = copy_of(*good, name);
  source->put({name, DType::i8(), {64, 80}}, std::vector<std::byte>(64 * 80));
  EXPECT_NE(refusal(*source).find("has the dtype i8"), std::string::npos);
  source = copy_of(*good, name);
  auto bad = values;
  bad[100] = 1e6f;
  source->put_f32(name, {64, 80}, bad);
  EXPECT_NE(refusal(*source).find("too large for f16 (q4f16_1)"), std::string::npos);
  EXPECT_NE(refusal(*source, "q0f16").find("too large for f16"), std::string::npos);
}

TEST(Convert, UnusedTensorsAreListed) {
  const ModelConfig config = small();
  auto source = copy_of(*synthetic_checkpoint(config, 3));
  const float x[] = {1};
  source->put_f32("vision.patch.weight", {1}, x);
  source->put_f32("model.layers.0.self_attn.rotary_emb.inv_freq", {1}, x);
  auto tmp = TempDir::create();
  auto report = convert(*source, config, scheme("q0f16"), tmp->file("out"));
  ASSERT_TRUE(report);
  ASSERT_EQ(report->warnings.size(), 1u);
  EXPECT_NE(report->warnings[0].find("1 tensors are not a part of LlamaForCausalLM"), std::string::npos);
  EXPECT_NE(report->warnings[0].find("\"vision.patch.weight\""), std::string::npos);
}

#ifndef _WIN32  // has no limit on the size of files
TEST(Convert, AWriteThatFailsHalfWayLeavesNothing) {
  auto tmp = TempDir::create();
  const ModelConfig config = small();
  const std::string out = tmp->file("out");
  const std::string message = tmp->file("message");
  // In a child, whose files may not grow over 20 KB: like a full disk, in the middle of a shard.
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {20000, 20000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto report =
        convert(*synthetic_checkpoint(config, 3), config, scheme("q0f32"), out, {.progress = {}, .num_threads = 1});
    if (report) ::_exit(1);
    if (!write_file_atomic(message, report.error().message)) ::_exit(2);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_NE(read_file(message)->find("params_shard_0.bin: writing failed"), std::string::npos) << *read_file(message);
  EXPECT_FALSE(path_exists(out));
}
#endif

TEST(Synthetic, ModelsHaveTheStoredTensorsOfTheirScheme) {
  for (const char* architecture : {"LlamaForCausalLM", "Qwen2ForCausalLM"}) {
    const ModelConfig config = small(architecture, false);
    for (const quant::Scheme* s : quant::all_schemes()) {
      const auto source = synthetic_model(config, *s, 5);
      auto checked = check_stored_tensors(*source, config, *s);
      EXPECT_TRUE(checked) << checked.error().message;
      const auto other = check_stored_tensors(*source, small("LlamaForCausalLM", true), scheme("q4f32_1"));
      EXPECT_EQ(static_cast<bool>(other), s->name() == "q4f32_1" && config.model_type == "llama");
    }
  }
  const ModelConfig config = small();
  const auto source = synthetic_model(config, scheme("q4f16_1"), 5);
  std::vector<weights::TensorData> data;
  for (const char* suffix : {".q_weight", ".q_scale"})
    data.push_back(*source->read("model.layers.0.self_attn.o_proj" + std::string(suffix)));
  std::vector<float> w(64 * 64);
  const std::span<const std::byte> buffers[] = {data[0].bytes, data[1].bytes};
  scheme("q4f16_1").decode(buffers, 0, 64, 64, w.data());
  double squares = 0;
  for (float x : w) squares += x * x;
  EXPECT_NEAR(std::sqrt(squares / 4096) * 8, 1.0, 0.05);  // the standard deviation is 1 / sqrt(64)
}

}  // namespace
}  // namespace mlc::model
