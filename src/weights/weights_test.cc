#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "../tests/support/source_dir.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "weights/llama2c.h"
#include "weights/mlc_shards.h"
#include "weights/open.h"
#include "weights/safetensors.h"
#include "weights/synthetic.h"

namespace mlc::weights {
namespace {

namespace fs = std::filesystem;

using testing::data_file;

TempDir temp_dir() { return *TempDir::create(); }

std::vector<float> floats_of(const TensorSource& source, const std::string& name) {
  auto data = source.read(name);
  EXPECT_TRUE(data) << data.error().message;
  std::vector<float> out(static_cast<size_t>(data->info.num_elements()));
  to_f32(data->info.dtype, data->bytes, 0, data->info.num_elements(), out.data());
  return out;
}

std::string file_with_header(const std::string& header, const std::string& data) {
  std::string text(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(text.data(), &size, 8);
  return text + header + data;
}

// What opening a file with this content says.
std::string complaint(const std::string& content) {
  TempDir tmp = temp_dir();
  EXPECT_TRUE(write_file_atomic(tmp.file("m.safetensors"), content));
  auto source = open_safetensors(tmp.file("m.safetensors"));
  if (source) return "accepted";
  EXPECT_EQ(source.error().message.find(tmp.file("m.safetensors") + ": "), 0u) << source.error().message;
  EXPECT_EQ(source.error().message.find('\n'), std::string::npos);
  return source.error().message.substr(tmp.file("m.safetensors").size() + 2);
}

TEST(Safetensors, ReadsTensorsAndAliases) {
  TempDir tmp = temp_dir();
  const std::string header =
      R"({"__metadata__":{"format":"pt","b.tied":"b"},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},)"
      R"("a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]}})";
  const float values[] = {1.5f, -2.0f};
  std::string data = {0, '\x80', '\x80', '\x3f'};  // bf16: -0.0, 1.0
  data.append(reinterpret_cast<const char*>(values), sizeof values);
  ASSERT_TRUE(write_file_atomic(tmp.file("m.safetensors"), file_with_header(header, data)));
  auto source = open_safetensors(tmp.file("m.safetensors"));
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_EQ((*source)->tensors().size(), 2u);
  EXPECT_EQ((*source)->tensors()[0].str(), "bf16[2, 1]");
  EXPECT_EQ(floats_of(**source, "a"), (std::vector<float>{-0.0f, 1.0f}));
  EXPECT_EQ(floats_of(**source, "b.tied"), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ((*source)->find("format"), nullptr);
  EXPECT_EQ((*source)->read("c").error().code, ErrorCode::kNotFound);
  (*source)->release("b");
  EXPECT_EQ(floats_of(**source, "b")[0], 1.5f);
}

TEST(Safetensors, DamageIsNamed) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(complaint(file_with_header(good, "12345678")), "accepted");
  EXPECT_NE(complaint(file_with_header(good, "1234567")).find("truncated: the tensor \"a\""), std::string::npos);
  EXPECT_NE(complaint(file_with_header(good, "123456789")).find("1 bytes follow"), std::string::npos);
  EXPECT_NE(complaint("123").find("too few"), std::string::npos);
  EXPECT_NE(complaint(std::string(8, '\x7f')).find("this is not a safetensors file"), std::string::npos);
  EXPECT_NE(complaint(file_with_header(good, "").substr(0, 20)).find("truncated: the header"), std::string::npos);
  EXPECT_NE(complaint(file_with_header("{\"a\": ", "")).find("not valid JSON"), std::string::npos);
  EXPECT_NE(complaint(file_with_header("[]", "")).find("not a JSON object"), std::string::npos);
  EXPECT_NE(complaint(file_with_header(R"({"a":{"shape":[]}})", "")).find("no dtype, shape"), std::string::npos);
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return file_with_header(
        "{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}", "12345678");
  };
  EXPECT_NE(complaint(entry("F8_E4M3", "[8]", "[0,8]")).find("dtype F8_E4M3; supported are F32"), std::string::npos);
  EXPECT_NE(complaint(entry("F32", "[3]", "[0,8]")).find("f32[3] of 12 bytes"), std::string::npos);
  EXPECT_NE(complaint(entry("F32", "[-2]", "[0,8]")).find("has the shape"), std::string::npos);
  EXPECT_NE(complaint(entry("F32", "[4611686018427387904,4]", "[0,8]")).find("impossible shape"), std::string::npos);
  EXPECT_NE(complaint(entry("F32", "[2]", "[8,0]")).find("data_offsets"), std::string::npos);
  EXPECT_NE(complaint(entry("F32", "[2]", "[0]")).find("data_offsets"), std::string::npos);
  const auto two = [](const std::string& a, const std::string& b, const char* second = "b") {
    return file_with_header("{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":" + a + "},\"" + second +
                                "\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":" + b + "}}",
                            "12345678");
  };
  EXPECT_EQ(complaint(two("[0,4]", "[4,8]")), "accepted");
  EXPECT_NE(complaint(two("[0,4]", "[2,6]")).find("\"a\" and \"b\" overlap"), std::string::npos);
  EXPECT_NE(complaint(two("[4,8]", "[4,8]")).find("gap of 4 bytes"), std::string::npos);
  EXPECT_NE(complaint(two("[0,4]", "[4,8]", "a")).find("\"a\" twice"), std::string::npos);
}

TEST(Safetensors, ShardedDirectories) {
  TempDir tmp = temp_dir();
  MemorySource a, b;
  const float one[] = {1, 2, 3}, two[] = {4, 5};
  a.put_f32("x", {3}, one);
  b.put_f32("y", {2, 1}, two);
  b.put_f32("unlisted", {2}, two);
  ASSERT_TRUE(write_safetensors(tmp.file("model-00001-of-00002.safetensors"), a));
  ASSERT_TRUE(write_safetensors(tmp.file("model-00002-of-00002.safetensors"), b));
  EXPECT_NE(open_weights(tmp.path()).error().message.find("no model.safetensors.index.json"), std::string::npos);
  const auto index = [&](const Json& map) {
    EXPECT_TRUE(write_file_atomic(tmp.file("model.safetensors.index.json"), Json{{"weight_map", map}}.dump()));
    return open_weights(tmp.path());
  };
  auto source = index({{"x", "model-00001-of-00002.safetensors"}, {"y", "model-00002-of-00002.safetensors"}});
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ((*source)->tensors().size(), 2u);
  EXPECT_EQ(floats_of(**source, "y"), (std::vector<float>{4, 5}));
  EXPECT_NE(index({{"z", "model-00001-of-00002.safetensors"}}).error().message.find("\"z\" is not in model-00001"),
            std::string::npos);
  EXPECT_NE(index({{"x", "model-00003.safetensors"}}).error().message.find("is missing"), std::string::npos);
  EXPECT_NE(index({{"x", "../x.safetensors"}}).error().message.find("expected a file name"), std::string::npos);
  TempDir empty = temp_dir();
  EXPECT_NE(open_weights(empty.path()).error().message.find("no weights"), std::string::npos);
  EXPECT_EQ(fs::exists(tmp.file("model-00001-of-00002.safetensors.partial")), false);
}

TEST(Safetensors, TheRealModelOpensWithItsTiedEmbedding) {
  const std::string dir = data_file("models/tinystories-656k-llama");
  if (!is_directory(dir)) GTEST_SKIP() << dir << " is not there (set MLC_TEST_DATA)";
  auto source = open_weights(dir);
  ASSERT_TRUE(source) << source.error().message;
  const TensorInfo* tied = (*source)->find("model.embed_tokens.weight");
  ASSERT_NE(tied, nullptr);
  EXPECT_EQ(tied->name, "lm_head.weight");
  EXPECT_EQ(tied->str(), "f32[2048, 128]");
}

std::vector<std::byte> pattern(int64_t n, int salt) {
  std::vector<std::byte> bytes(static_cast<size_t>(n));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31 + static_cast<size_t>(salt));
  return bytes;
}

TEST(MlcShards, WriterFollowsTheShardRules) {
  TempDir tmp = temp_dir();
  const std::string dir = tmp.file("out");
  auto writer = MlcWriter::create(dir, 100);
  ASSERT_TRUE(writer) << writer.error().message;
  // 40 pending; 60 would reach the cap and is at least half of it: a file of its own, numbered first. Then 30 fits, and
  // 40 does not and is small: the pending shard goes out before it.
  const std::vector<std::pair<std::string, int64_t>> sizes = {{"a", 40}, {"b", 60}, {"c", 30}, {"d", 40}};
  int salt = 0;
  for (const auto& [name, n] : sizes) {
    ASSERT_TRUE(writer->add({name, DType::u8(), {n}}, pattern(n, salt++)));
  }
  EXPECT_FALSE(path_exists(join_path(dir, "tensor-cache.json")));
  ASSERT_TRUE(writer->finish(340));
  const Json index = *read_json_file(join_path(dir, "tensor-cache.json"));
  EXPECT_EQ(index["metadata"], Json::parse(R"({"ParamSize": 4, "ParamBytes": 170.0, "BitsPerParam": 4.0})"));
  ASSERT_EQ(index["records"].size(), 3u);
  const auto names = [&](size_t i) {
    std::string s;
    for (const Json& r : index["records"][i]["records"])
      s += r["name"].get<std::string>() + "@" + r["byteOffset"].dump();
    return index["records"][i]["dataPath"].get<std::string>() + " " + s;
  };
  EXPECT_EQ(names(0), "params_shard_0.bin b@0");
  EXPECT_EQ(names(1), "params_shard_1.bin a@0c@40");
  EXPECT_EQ(names(2), "params_shard_2.bin d@0");
  EXPECT_EQ(index["records"][0]["md5sum"], *hash_file_hex(HashKind::kMd5, join_path(dir, "params_shard_0.bin")));
  EXPECT_EQ(index["records"][0]["format"], "raw-shard");
  auto source = open_mlc_shards(dir, {.verify_md5 = true});
  ASSERT_TRUE(source) << source.error().message;
  salt = 0;
  for (const auto& [name, n] : sizes) {
    auto data = (*source)->read(name);
    ASSERT_TRUE(data);
    EXPECT_TRUE(std::ranges::equal(data->bytes, pattern(n, salt++))) << name;
  }
}

TEST(MlcShards, FloatsStayExactAndBf16RecordsAreDecoded) {
  TempDir tmp = temp_dir();
  const float values[] = {0.1f, -3.0e-20f};
  {
    auto writer = MlcWriter::create(tmp.path());
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->add({"s", DType::f32(), {2}}, std::as_bytes(std::span(values))));
    ASSERT_TRUE(writer->finish(2));
  }
  Json index = *read_json_file(tmp.file("tensor-cache.json"));
  EXPECT_EQ(index["records"][0]["records"][0]["format"], "raw");
  EXPECT_EQ(floats_of(**open_weights(tmp.path()), "s"), (std::vector<float>{0.1f, -3.0e-20f}));
  // The same as MLC LLM would have written it, under the older name of the index.
  const uint16_t halves[] = {f32_to_bf16(0.1f), f32_to_bf16(-3.0e-20f)};
  ASSERT_TRUE(write_file_atomic(tmp.file("params_shard_0.bin"), std::as_bytes(std::span(halves))));
  index["records"][0]["nbytes"] = 4;
  index["records"][0]["records"][0]["nbytes"] = 4;
  index["records"][0]["records"][0]["format"] = "f32-to-bf16";
  ASSERT_TRUE(write_file_atomic(tmp.file("ndarray-cache.json"), index.dump()));
  ASSERT_TRUE(remove_all(tmp.file("tensor-cache.json")));
  auto source = open_weights(tmp.path());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ((*source)->find("s")->str(), "f32[2]");
  EXPECT_EQ(floats_of(**source, "s"), (std::vector<float>{bf16_to_f32(halves[0]), bf16_to_f32(halves[1])}));
}

TEST(MlcShards, DamageIsNamed) {
  TempDir tmp = temp_dir();
  auto writer = MlcWriter::create(tmp.path());
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->add({"a", DType::f16(), {2, 2}}, pattern(8, 0)));
  ASSERT_TRUE(writer->finish(4));
  const Json good = *read_json_file(tmp.file("tensor-cache.json"));
  const auto with = [&](const std::string& pointer, const Json& value) {
    Json index = good;
    index[Json::json_pointer(pointer)] = value;
    EXPECT_TRUE(write_file_atomic(tmp.file("tensor-cache.json"), index.dump()));
    auto source = open_mlc_shards(tmp.path(), {.verify_md5 = true});
    return source ? std::string("accepted") : source.error().message;
  };
  const std::string record = "/records/0/records/0";
  EXPECT_EQ(with("/metadata/x", 1), "accepted");
  EXPECT_NE(with("/records", 3).find("no \"records\" list"), std::string::npos);
  EXPECT_NE(with("/records/0/dataPath", "gone.bin").find("is missing"), std::string::npos);
  EXPECT_NE(with("/records/0/dataPath", "../x").find("no file name"), std::string::npos);
  EXPECT_NE(with("/records/0/nbytes", 9).find("has 8 bytes"), std::string::npos);
  EXPECT_NE(with("/records/0/md5sum", "00").find("md5 sum is"), std::string::npos);
  EXPECT_NE(with(record + "/dtype", "float8_e4m3fn").find("nothing here reads"), std::string::npos);
  EXPECT_NE(with(record + "/format", "zip").find("expected raw or f32-to-bf16"), std::string::npos);
  EXPECT_NE(with(record + "/shape", Json::array({2, 3})).find("takes 12 bytes; the record says 8"), std::string::npos);
  EXPECT_NE(with(record + "/byteOffset", 4).find("behind the end"), std::string::npos);
  EXPECT_NE(
      with("/records/0/records", Json::array({good["records"][0]["records"][0], good["records"][0]["records"][0]}))
          .find("there twice"),
      std::string::npos);
}

TEST(MlcShards, AFailedConversionLeavesTheDirectoryAsItWas) {
  TempDir tmp = temp_dir();
  {
    auto writer = MlcWriter::create(tmp.file("fresh"), 100);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->add({"a", DType::u8(), {200}}, pattern(200, 0)));
    EXPECT_TRUE(path_exists(tmp.file("fresh")));
  }
  EXPECT_FALSE(path_exists(tmp.file("fresh")));
  // A directory with a model: replaced as a whole, or untouched.
  const auto convert = [&](int64_t tensors, bool finish) {
    auto writer = MlcWriter::create(tmp.file("old"), 10);
    ASSERT_TRUE(writer);
    for (int64_t i = 0; i < tensors; ++i) {
      ASSERT_TRUE(writer->add({std::to_string(i), DType::u8(), {20}}, pattern(20, static_cast<int>(tensors))));
    }
    if (finish) {
      ASSERT_TRUE(writer->finish(1));
    }
  };
  const auto key = [&] { return *directory_content_key(tmp.file("old")); };
  convert(5, true);
  const std::string five = key();
  convert(2, false);
  EXPECT_EQ(key(), five);
  convert(2, true);
  EXPECT_FALSE(path_exists(tmp.file("old/params_shard_2.bin")));
  EXPECT_EQ((*open_weights(tmp.file("old")))->tensors().size(), 2u);
  convert(5, true);
  EXPECT_EQ(key(), five);
}

TEST(Llama2c, ImportsAsHuggingFace) {
  const std::string bin = data_file("models/stories260K/stories260K.bin");
  if (!path_exists(bin)) GTEST_SKIP() << bin << " is not there (set MLC_TEST_DATA)";
  TempDir tmp = temp_dir();
  auto imported = import_llama2c(bin, tmp.file("hf"));
  ASSERT_TRUE(imported) << imported.error().message;
  const Json config = *read_json_file(tmp.file("hf/config.json"));
  EXPECT_EQ(config["hidden_size"], 64);
  EXPECT_EQ(config["num_key_value_heads"], 4);
  EXPECT_EQ(config["tie_word_embeddings"], true);
  auto source = open_weights(tmp.file("hf"));
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ((*source)->tensors().size(), 1u + 5 * 9 + 1);
  EXPECT_EQ((*source)->find("lm_head.weight"), nullptr);
  // Row 1 of the first head of wq (the second of a pair) is row head_dim / 2 = 4 afterwards.
  const std::string raw = *read_file(bin);
  const int64_t wq = 512 * 64 + 5 * 64;
  float expected[64];
  std::memcpy(expected, raw.data() + 28 + (wq + 64) * 4, sizeof expected);
  const auto q = floats_of(**source, "model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(std::memcmp(q.data() + 4 * 64, expected, sizeof expected), 0);
}

TEST(Llama2c, RefusesWhatItIsNot) {
  TempDir tmp = temp_dir();
  const auto says = [&](const std::string& content) {
    EXPECT_TRUE(write_file_atomic(tmp.file("x.bin"), content));
    auto imported = import_llama2c(tmp.file("x.bin"), tmp.file("out"));
    EXPECT_FALSE(path_exists(tmp.file("out")));
    return imported ? "accepted" : imported.error().message;
  };
  const auto header = [](std::vector<int32_t> h) {
    return std::string(reinterpret_cast<const char*>(h.data()), h.size() * 4);
  };
  EXPECT_NE(says("abc").find("too few"), std::string::npos);
  EXPECT_NE(says(header({8, 8, 1, 0, 2, 4, 4})).find("a size in its header is 0"), std::string::npos);
  EXPECT_NE(says(header({8, 8, 1, 4, 3, 4, 4})).find("do not fit"), std::string::npos);
  EXPECT_NE(says(header({8, 8, 1, 4, 2, 4, 4})).find("its header describes"), std::string::npos);
  EXPECT_NE(says(header({0x616b3432, 2, 1, 4, 2, 4, 4})).find("version 2"), std::string::npos);
}

TEST(Synthetic, ValuesFollowTheWrittenFormula) {
  // From the numpy generator (tests/goldens): seed 7, mean 1, bound 0.25.
  SyntheticSource source({{{"w", DType::f32(), {3, 4}}, Fill::uniform(1.0, 0.25)},
                          {{"h", DType::f16(), {5}}, Fill::uniform(0.0, 1.0)},
                          {{"c", DType::u32(), {100000}}, Fill::codes4()},
                          {{"d", DType::u32(), {1000}}, Fill::codes8()}},
                         7);
  const auto w = floats_of(source, "w");
  for (size_t i = 0; i < w.size(); ++i) {
    const uint64_t bits = synthetic_bits(synthetic_key(7, "w"), static_cast<int64_t>(i));
    const double u = (2.0 * static_cast<double>(bits >> 40) + 1.0 - 16777216.0) / 16777216.0;
    EXPECT_NEAR(w[i], 1.0 + 0.25 * u, 1e-7);
  }
  EXPECT_NE(w[0], w[1]);
  EXPECT_EQ(floats_of(source, "w"), w);
  for (float x : floats_of(source, "h")) EXPECT_LT(std::abs(x), 1.0f);
  auto data = source.read("c");
  int histogram[16] = {};
  for (size_t i = 0; i < 100000; ++i) {
    uint32_t word;
    std::memcpy(&word, data->bytes.data() + i * 4, 4);
    for (int s = 0; s < 32; s += 4) ++histogram[(word >> s) & 15u];
  }
  EXPECT_EQ(histogram[15], 0);
  for (int q = 0; q < 15; ++q) EXPECT_NEAR(histogram[q], q == 7 ? 100000 : 50000, 2000) << q;
  data = source.read("d");
  for (std::byte b : data->bytes) EXPECT_NE(b, std::byte{255});
}

TEST(Synthetic, KnownBits) {
  // Independent of this code: computed by the numpy generator in tests/goldens.
  EXPECT_EQ(synthetic_key(7, "w"), 0x4B91D9974A2F35CBu);
  EXPECT_EQ(synthetic_bits(0, 0), 0xE220A8397B1DCDAFu);  // the published first output of SplitMix64 with state 0
}

}  // namespace
}  // namespace mlc::weights
