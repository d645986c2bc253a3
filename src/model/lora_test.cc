#include "model/lora.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "weights/safetensors.h"

namespace mlc::model {
namespace {

const std::string kModule = "base_model.model.model.layers.0.self_attn.q_proj.";
const std::string kTarget = "model.layers.0.self_attn.q_proj.weight";

std::unique_ptr<weights::TensorSource> base() {
  auto source = std::make_unique<weights::MemorySource>();
  const float w[] = {1, 2, 3, 4, 5, 6}, norm[] = {1, 1, 1};
  source->put_f32(kTarget, {2, 3}, w);
  source->put_f32("model.norm.weight", {3}, norm);
  return source;
}

struct Adapter {
  TempDir tmp = *TempDir::create();
  int merges = 0;
  Json config = {{"peft_type", "LORA"}, {"r", 2}, {"lora_alpha", 4}, {"bias", "none"}};
  std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>> tensors = {
      {kModule + "lora_A.weight", {{2, 3}, {1, 0, 2, 0, 1, 0}}}, {kModule + "lora_B.weight", {{2, 2}, {1, 2, 0, 3}}}};

  // A directory each time: the last one's file is mapped, and Windows replaces no such file.
  Result<std::unique_ptr<weights::TensorSource>> merge() {
    const std::string dir = tmp.file(std::to_string(++merges));
    EXPECT_TRUE(make_directories(dir));
    weights::MemorySource source;
    for (const auto& [name, tensor] : tensors) source.put_f32(name, tensor.first, tensor.second);
    EXPECT_TRUE(weights::write_safetensors(join_path(dir, "adapter_model.safetensors"), source));
    EXPECT_TRUE(write_file_atomic(join_path(dir, "adapter_config.json"), config.dump()));
    return merge_lora(base(), dir);
  }
};

std::vector<float> floats_of(const weights::TensorSource& source, const std::string& name) {
  auto data = source.read(name);
  std::vector<float> out(static_cast<size_t>(data->info.num_elements()));
  weights::to_f32(data->info.dtype, data->bytes, 0, data->info.num_elements(), out.data());
  return out;
}

TEST(Lora, AddsTheScaledProduct) {
  Adapter adapter;
  auto merged = adapter.merge();
  ASSERT_TRUE(merged) << merged.error().message;
  // B A = [[1, 2, 2], [0, 3, 0]], times alpha / rank = 2.
  EXPECT_EQ(floats_of(**merged, kTarget), (std::vector<float>{3, 6, 7, 4, 11, 6}));
  EXPECT_EQ(floats_of(**merged, "model.norm.weight"), (std::vector<float>{1, 1, 1}));
  adapter.config["use_rslora"] = true;
  merged = adapter.merge();
  ASSERT_TRUE(merged);
  EXPECT_FLOAT_EQ(floats_of(**merged, kTarget)[0], 1.0f + 4.0f / std::sqrt(2.0f));
}

TEST(Lora, RefusalsSayWhy) {
  const auto refusal = [](const auto& change) {
    Adapter adapter;
    change(adapter);
    auto merged = adapter.merge();
    return merged ? "accepted" : merged.error().message;
  };
  EXPECT_EQ(refusal([](auto&) {}), "accepted");
  EXPECT_NE(refusal([](auto& a) { a.config["peft_type"] = "IA3"; }).find("not a LoRA adapter"), std::string::npos);
  EXPECT_NE(refusal([](auto& a) { a.config["use_dora"] = true; }).find("DoRA"), std::string::npos);
  EXPECT_NE(refusal([](auto& a) { a.config["bias"] = "all"; }).find("train biases"), std::string::npos);
  EXPECT_NE(refusal([](auto& a) { a.config.erase("lora_alpha"); }).find("lora_alpha"), std::string::npos);
  EXPECT_NE(refusal([](auto& a) { a.tensors.erase(kModule + "lora_B.weight"); }).find("only one of the two"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& a) { a.tensors[kModule + "lora_A.weight"] = {{2, 2}, {1, 2, 3, 4}}; }).find("do not fit"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& a) {
              a.tensors["base_model.model.other.lora_A.weight"] = {{1}, {1}};
            }).find("belongs to \"other.weight\""),
            std::string::npos);
  EXPECT_NE(
      refusal([](auto& a) { a.tensors["base_model.model.lm_head.weight"] = {{1}, {1}}; }).find("not a LoRA matrix"),
      std::string::npos);
  EXPECT_NE(merge_lora(base(), "/nonexistent").error().message.find("no such file"), std::string::npos);
}

}  // namespace
}  // namespace mlc::model
