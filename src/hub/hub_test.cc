// Names of models, listings of hubs, which files are chosen, checksums. Downloads are tested by tests/cli/test_hub.py.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "hub/listing.h"
#include "hub/repo_ref.h"
#include "hub/select.h"

namespace mlc::hub {
namespace {

const std::string kSha = std::string(40, 'a');

Listing listing_of(const std::vector<std::string>& paths) {
  Listing listing{kSha, {}};
  for (const std::string& path : paths) {
    listing.files.push_back({path, 10, {Checksum::Kind::kGitBlob, kSha}});
  }
  return listing;
}

std::vector<std::string> paths_of(const std::vector<RemoteFile>& files) {
  std::vector<std::string> paths;
  for (const RemoteFile& file : files) paths.push_back(file.path);
  return paths;
}

using Names = std::vector<std::string>;

TEST(RepoRef, FormsOfNames) {
  struct Case {
    const char *text, *endpoint, *site, *user, *repo, *revision;
  };
  const Case cases[] = {
      {"HF://mlc-ai/Llama-3-8B-q4f16_1-MLC", "https://hub", "hf", "mlc-ai", "Llama-3-8B-q4f16_1-MLC", "main"},
      {"hf://a/b", "https://hub", "hf", "a", "b", "main"},
      {"hf://a/b/", "https://hub", "hf", "a", "b", "main"},
      {"HF://a/b@v1.0", "https://hub", "hf", "a", "b", "v1.0"},
      {"HF://a/b@refs/pr/3", "https://hub", "hf", "a", "b", "refs/pr/3"},
      {"https://huggingface.co/a/b", "https://hub", "hf", "a", "b", "main"},
      {"https://huggingface.co/a/b.git", "https://hub", "hf", "a", "b", "main"},
      {"https://huggingface.co/a/b/tree/dev", "https://hub", "hf", "a", "b", "dev"},
      {"https://hub/a/b@dev", "https://hub", "hf", "a", "b", "dev"},
      {"https://other.example:8443/a/b", "https://other.example:8443", "other.example:8443", "a", "b", "main"},
      {"http://127.0.0.1:9/a/b", "http://127.0.0.1:9", "127.0.0.1:9", "a", "b", "main"},
  };
  for (const Case& c : cases) {
    ASSERT_TRUE(is_hub_name(c.text)) << c.text;
    auto ref = parse_repo_ref(c.text, "https://hub");
    ASSERT_TRUE(ref) << c.text << ": " << ref.error().message;
    EXPECT_EQ(ref->endpoint, c.endpoint) << c.text;
    EXPECT_EQ(ref->site, c.site) << c.text;
    EXPECT_EQ(ref->user, c.user) << c.text;
    EXPECT_EQ(ref->repo, c.repo) << c.text;
    EXPECT_EQ(ref->revision, c.revision) << c.text;
  }
}

TEST(RepoRef, DirectoriesAreNoHubNames) {
  for (const char* text : {"models/demo", "/models/a", "HF:/a/b", "hf", "", "C:\\models", "./HF://a/b"}) {
    EXPECT_FALSE(is_hub_name(text)) << text;
  }
}

TEST(RepoRef, NamesThatCannotBe) {
  for (const char* text : {"HF://",
                           "HF://a",
                           "HF://a/",
                           "HF:///b",
                           "HF://a/b/c",
                           "HF://../b",
                           "HF://a/..",
                           "HF://a/b@",
                           "HF://a/b@../x",
                           "HF://a/b@x//y",
                           "HF://a/b@-x",
                           "HF://a b/c",
                           "HF://a/b?x=1",
                           "HF://.a/b",
                           "https://",
                           "https:///a/b",
                           "https://u:p@host/a/b",
                           "https://../a/b",
                           "https://host/a",
                           "https://huggingface.co/a/b/blob/main/x.json"}) {
    auto ref = parse_repo_ref(text, "https://hub");
    ASSERT_FALSE(ref) << text;
    EXPECT_NE(ref.error().message.find("HF://USER/REPO"), std::string::npos) << ref.error().message;
  }
}

TEST(RepoRef, UrlsAreEncoded) {
  EXPECT_EQ(encode_segment("refs/pr/3"), "refs%2Fpr%2F3");
  EXPECT_EQ(encode_path("a b/c+d.json"), "a%20b/c%2Bd.json");
  EXPECT_EQ(encode_path("model-00001-of-00002.safetensors"), "model-00001-of-00002.safetensors");
}

TEST(Listing, FilesWithTheirChecksums) {
  const std::string sha256(64, 'b');
  const Json body = {{"sha", kSha},
                     {"siblings",
                      {{{"rfilename", "config.json"}, {"size", 3}, {"blobId", kSha}},
                       {{"rfilename", "model.safetensors"},
                        {"size", 7},
                        {"blobId", kSha},
                        {"lfs", {{"sha256", sha256}, {"size", 7}, {"pointerSize", 100}}}}}}};
  auto listing = parse_listing(body.dump(), "a/b");
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->commit, kSha);
  ASSERT_NE(listing->find("config.json"), nullptr);
  EXPECT_EQ(listing->find("config.json")->checksum, (Checksum{Checksum::Kind::kGitBlob, kSha}));
  EXPECT_EQ(listing->find("model.safetensors")->checksum, (Checksum{Checksum::Kind::kSha256, sha256}));
  EXPECT_EQ(listing->find("model.safetensors")->size, 7u);
  EXPECT_EQ(listing->find("absent"), nullptr);
}

TEST(Listing, WhatIsNoListing) {
  for (const char* text :
       {"", "<html>", "[]", "{}", R"({"sha": "abc", "siblings": []})", R"({"sha": 1, "siblings": 2})"}) {
    auto listing = parse_listing(text, "a/b");
    ASSERT_FALSE(listing) << text;
    EXPECT_EQ(listing.error().code, ErrorCode::kCorrupt);
  }
  // Without a size, without a checksum, with one that is none.
  for (Json entry : {Json{{"rfilename", "x"}, {"blobId", kSha}}, Json{{"rfilename", "x"}, {"size", 1}},
                     Json{{"rfilename", "x"}, {"size", 1}, {"blobId", "zz"}}, Json(7), Json{{"size", 1}}}) {
    const Json body = {{"sha", kSha}, {"siblings", {entry}}};
    EXPECT_FALSE(parse_listing(body.dump(), "a/b")) << body.dump();
  }
}

TEST(Listing, PathsStayInside) {
  for (const char* path : {"config.json", "a/b/c.json", "..a", "a..b", ".gitattributes"})
    EXPECT_TRUE(is_safe_path(path));
  for (const char* path :
       {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", ".", "a/./b", "a\\..\\b", "a\nb", "C:x"}) {
    EXPECT_FALSE(is_safe_path(path)) << path;
    const Json body = {{"sha", kSha}, {"siblings", {{{"rfilename", path}, {"size", 1}, {"blobId", kSha}}}}};
    EXPECT_FALSE(parse_listing(body.dump(), "a/b")) << path;
  }
}

TEST(Listing, ChecksumsAreThoseOfGitAndOfSha256) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  ASSERT_TRUE(write_file_atomic(tmp->file("x"), "hello\n"));
  // `printf 'hello\n' | git hash-object --stdin`, and sha256sum.
  EXPECT_EQ(checksum_of(Checksum::Kind::kGitBlob, tmp->file("x"))->hex, "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(checksum_of(Checksum::Kind::kSha256, tmp->file("x"))->hex,
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  ASSERT_TRUE(write_file_atomic(tmp->file("empty"), ""));
  EXPECT_EQ(checksum_of(Checksum::Kind::kGitBlob, tmp->file("empty"))->hex, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

TEST(Select, DescriptionsAreTheSmallFilesAtTheTop) {
  const Listing listing = listing_of({".gitattributes", "README.md", "config.json", "tokenizer.json", "tokenizer.model",
                                      "model.safetensors", "pytorch_model.bin", "onnx/config.json",
                                      "chat_template.jinja", "original/tokenizer.model"});
  EXPECT_EQ(paths_of(select_descriptions(listing)),
            (Names{"config.json", "tokenizer.json", "tokenizer.model", "chat_template.jinja"}));
}

TEST(Select, OneFormatOfWeights) {
  auto one = select_weights(listing_of({"config.json", "model.safetensors", "consolidated.safetensors",
                                        "pytorch_model.bin", "onnx/model.onnx", "model.gguf"}),
                            "");
  ASSERT_TRUE(one);
  EXPECT_EQ(paths_of(*one), Names{"model.safetensors"});
  // The only one, whatever it is called; not one in a folder.
  EXPECT_EQ(paths_of(*select_weights(listing_of({"weights.safetensors", "adapter/x.safetensors"}), "")),
            Names{"weights.safetensors"});
}

TEST(Select, ShardsAreThoseOfTheIndex) {
  const Listing listing = listing_of({"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                      "consolidated.safetensors", "model.safetensors.index.json"});
  EXPECT_EQ(weight_index(listing), "model.safetensors.index.json");
  const Json index = {{"weight_map",
                       {{"a", "model-00001-of-00002.safetensors"},
                        {"b", "model-00002-of-00002.safetensors"},
                        {"c", "model-00001-of-00002.safetensors"}}}};
  EXPECT_EQ(paths_of(*select_weights(listing, index.dump())),
            (Names{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}));
  for (const char* bad :
       {"", "{}", "{\"weight_map\": {}}", R"({"weight_map": {"a": "../x"}})", R"({"weight_map": 3})"}) {
    auto chosen = select_weights(listing, bad);
    ASSERT_FALSE(chosen) << bad;
    EXPECT_EQ(chosen.error().code, ErrorCode::kCorrupt);
  }
}

TEST(Select, ShardsOfMlcComeFirst) {
  const Listing listing = listing_of(
      {"mlc-chat-config.json", "ndarray-cache.json", "params_shard_0.bin", "params_shard_1.bin", "model.safetensors"});
  EXPECT_EQ(weight_index(listing), "ndarray-cache.json");
  const Json index = {{"records", {{{"dataPath", "params_shard_0.bin"}}, {{"dataPath", "params_shard_1.bin"}}}}};
  EXPECT_EQ(paths_of(*select_weights(listing, index.dump())), (Names{"params_shard_0.bin", "params_shard_1.bin"}));
}

TEST(Select, NoWeightsSaysWhatThereIs) {
  auto chosen = select_weights(listing_of({"config.json", "pytorch_model.bin", "q4/model.gguf"}), "");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().code, ErrorCode::kNotFound);
  EXPECT_NE(chosen.error().message.find("there is *.bin, *.gguf"), std::string::npos) << chosen.error().message;
  // Two that nothing chooses between.
  EXPECT_FALSE(select_weights(listing_of({"a.safetensors", "b.safetensors"}), ""));
}

}  // namespace
}  // namespace mlc::hub
