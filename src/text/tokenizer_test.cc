// Encoding, decoding and streaming against independent goldens, for every way in which a tokenizer can be loaded.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <sstream>
#include <thread>

#include "base/json.h"
#include "text/convert.h"
#include "text/detokenizer.h"
#include "text/test_support.h"
#include "text/utf8.h"

namespace mlc::text {
namespace {

using Loader = std::function<Result<Tokenizer>()>;

Result<std::string> file(const std::string& name) { return read_file(testing::data_file("tokenizers/" + name)); }

Loader json_file(const std::string& name) {
  return [name]() -> Result<Tokenizer> {
    MLC_TRY(std::string json, file(name));
    return Tokenizer::from_json(json);
  };
}

Loader model_file(const std::string& name, Result<std::string> (*convert)(std::string_view, const Json&)) {
  return [=]() -> Result<Tokenizer> {
    MLC_TRY(std::string bytes, file(name));
    MLC_TRY(std::string json, convert(bytes, nullptr));
    return Tokenizer::from_json(json);
  };
}

Loader directory(const std::string& name) {
  return [name] { return Tokenizer::from_directory(testing::data_file(name)); };
}

// As much of GGUF as a vocabulary file needs: the key-value pairs under tokenizer.ggml.
class GgufReader {
 public:
  explicit GgufReader(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<GgufVocab> read() {
    GgufVocab vocab;
    at_ = 16;
    uint64_t pairs = get<uint64_t>();
    for (uint64_t i = 0; i < pairs && at_ < bytes_.size(); ++i) {
      std::string key = text();
      pair(key, get<uint32_t>(), vocab);
    }
    if (vocab.tokens.empty()) return error(ErrorCode::kCorrupt, "no tokens");
    return vocab;
  }

 private:
  template <typename T>
  T get() {
    T v{};
    if (at_ + sizeof(T) <= bytes_.size()) std::memcpy(&v, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return v;
  }
  std::string text() {
    uint64_t size = get<uint64_t>();
    std::string out = bytes_.substr(std::min(at_, bytes_.size()), size);
    at_ += size;
    return out;
  }
  static size_t width(uint32_t type) {
    constexpr size_t kWidths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < std::size(kWidths) ? kWidths[type] : 0;
  }
  void pair(const std::string& key, uint32_t type, GgufVocab& vocab) {
    constexpr uint32_t kString = 8, kArray = 9;
    if (type == kString) {
      std::string value = text();
      if (key == "tokenizer.ggml.model") vocab.model = value;
      if (key == "tokenizer.ggml.pre") vocab.pre = value;
    } else if (type == kArray) {
      uint32_t of = get<uint32_t>();
      uint64_t count = get<uint64_t>();
      for (uint64_t i = 0; i < count && at_ < bytes_.size(); ++i) {
        if (of == kString) {
          std::string value = text();
          if (key == "tokenizer.ggml.tokens") vocab.tokens.push_back(value);
          if (key == "tokenizer.ggml.merges") vocab.merges.push_back(value);
        } else if (key == "tokenizer.ggml.scores") {
          vocab.scores.push_back(get<float>());
        } else if (key == "tokenizer.ggml.token_type") {
          vocab.types.push_back(get<int32_t>());
        } else {
          at_ += width(of);
        }
      }
    } else if (key == "tokenizer.ggml.bos_token_id") {
      vocab.bos_id = get<int32_t>();
    } else if (key == "tokenizer.ggml.eos_token_id") {
      vocab.eos_id = get<int32_t>();
    } else {
      at_ += width(type);
    }
  }
  std::string bytes_;
  size_t at_ = 0;
};

Loader gguf(const std::string& name) {
  return [name]() -> Result<Tokenizer> {
    MLC_TRY(std::string bytes, file("gguf-vocabs/ggml-vocab-" + name + ".gguf"));
    MLC_TRY(GgufVocab vocab, GgufReader(std::move(bytes)).read());
    MLC_TRY(std::string json, tokenizer_from_gguf(vocab));
    return Tokenizer::from_json(json);
  };
}

Result<Tokenizer> llama2_from_bin() {
  MLC_TRY(std::string bytes, file("llama2/tokenizer.bin"));
  MLC_TRY(std::string json, tokenizer_from_llama2c(bytes));
  return Tokenizer::from_json(json);
}

Result<Tokenizer> gpt2_from_vocab() {
  MLC_TRY(Json vocab, read_json_file(testing::data_file("tokenizers/gpt2/encoder.json")));
  MLC_TRY(std::string merges, file("gpt2/vocab.bpe"));
  MLC_TRY(std::string json, tokenizer_from_vocab_and_merges(vocab, merges, nullptr, nullptr));
  return Tokenizer::from_json(json);
}

struct Case {
  const char* name;
  const char* goldens;  // ggml-vocab-<goldens>.gguf.out
  Loader load;
};

std::vector<Case> cases() {
  return {
      {"llama3_tiktoken", "llama-bpe", model_file("llama3/tokenizer.model", tokenizer_from_tiktoken)},
      {"qwen3_vocab_merges", "qwen2", directory("tokenizers/qwen3")},
      {"qwen3_for_deepseek_r1_qwen", "deepseek-r1-qwen", directory("tokenizers/qwen3")},
      {"gpt2_vocab_merges", "gpt-2", gpt2_from_vocab},
      {"gpt2_gguf", "gpt-2", gguf("gpt-2")},
      {"llama2_sentencepiece", "llama-spm", model_file("llama2/tokenizer.model", tokenizer_from_sentencepiece)},
      {"llama2_llama2c", "llama-spm", llama2_from_bin},
      {"llama2_gguf", "llama-spm", gguf("llama-spm")},
      {"tinyllama_json", "llama-spm", json_file("tinyllama/tokenizer.json")},
      {"phi3_json", "phi-3", json_file("phi3/tokenizer.json")},
      {"phi3_gguf", "phi-3", gguf("phi-3")},
      {"deepseek_llm_gguf", "deepseek-llm", gguf("deepseek-llm")},
  };
}

std::vector<std::vector<int32_t>> golden_ids(const std::string& name) {
  std::vector<std::vector<int32_t>> out;
  auto text = read_file(testing::data_file("tokenizers/goldens/ggml-vocab-" + name + ".gguf.out"));
  if (!text) return out;
  for (const std::string& line : split_on(*text, "\n")) {
    std::istringstream in(line);
    out.emplace_back();
    for (int32_t id; in >> id;) out.back().push_back(id);
  }
  return out;
}

std::string show(const std::vector<int32_t>& ids) {
  std::string out;
  for (int32_t id : ids) out += std::to_string(id) + " ";
  return out;
}

// Feeds the ids one by one: every piece is whole characters, and all of them are decode(ids).
void check_stream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, const std::string& what) {
  auto whole = tokenizer.decode(ids);
  MLC_ASSERT_OK(whole);
  StreamDetokenizer stream(tokenizer);
  std::string joined;
  for (int32_t id : ids) {
    std::string piece = stream.feed(id);
    EXPECT_EQ(find_invalid_utf8(piece), std::string::npos) << what;
    joined += piece;
  }
  joined += stream.flush();
  EXPECT_EQ(joined, *whole) << what;
}

class GoldenTest : public ::testing::TestWithParam<int> {};

TEST_P(GoldenTest, EncodesDecodesAndStreams) {
  MLC_SKIP_WITHOUT("tokenizers/goldens");
  Case c = cases()[static_cast<size_t>(GetParam())];
  auto tokenizer = c.load();
  MLC_ASSERT_OK(tokenizer);
  auto texts = golden_texts();
  auto want = golden_ids(c.goldens);
  ASSERT_EQ(texts.size(), 47u);
  ASSERT_EQ(want.size(), 47u);
  int right = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    auto ids = tokenizer->encode(texts[i], /*add_special_tokens=*/false);
    MLC_ASSERT_OK(ids);
    EXPECT_EQ(*ids, want[i]) << "text " << i << ": \"" << texts[i] << "\"\n got " << show(*ids) << "\nwant "
                             << show(want[i]);
    right += *ids == want[i];
    auto back = tokenizer->decode(*ids);
    MLC_ASSERT_OK(back);
    EXPECT_EQ(*back, texts[i]);
    check_stream(*tokenizer, *ids, texts[i]);
  }
  EXPECT_EQ(right, 47);
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, GoldenTest, ::testing::Range(0, static_cast<int>(cases().size())),
                         [](const auto& param) { return cases()[static_cast<size_t>(param.param)].name; });

TEST(TokenizerTest, MistralModelsEncodeAsSentencePieceDoes) {
  MLC_SKIP_WITHOUT("tokenizers/mistral");
  auto goldens = read_json_file(golden_path("sentencepiece_goldens.json"));
  MLC_ASSERT_OK(goldens);
  auto texts = golden_texts();
  ASSERT_EQ(goldens->size(), 4u);
  for (const auto& [name, lists] : goldens->items()) {
    auto tokenizer = model_file(name, tokenizer_from_sentencepiece)();
    MLC_ASSERT_OK(tokenizer);
    for (size_t i = 0; i < texts.size(); ++i) {
      auto ids = tokenizer->encode(texts[i], false);
      MLC_ASSERT_OK(ids);
      EXPECT_EQ(*ids, lists[i].get<std::vector<int32_t>>()) << name << ": " << texts[i];
      check_stream(*tokenizer, *ids, texts[i]);
    }
  }
}

// A long text of many scripts: the assembled tokenizers agree with the tokenizer.json of TinyLlama, which has
// the same vocabulary.
TEST(TokenizerTest, AssembledLlama2AgreesWithTinyLlamasJsonOnProse) {
  MLC_SKIP_WITHOUT("corpora/wikitext2_test.txt");
  auto text = read_file(testing::data_file("corpora/wikitext2_test.txt"));
  MLC_ASSERT_OK(text);
  std::string part = text->substr(0, text->find('\n', 150000));
  auto want = json_file("tinyllama/tokenizer.json")()->encode(part);
  MLC_ASSERT_OK(want);
  EXPECT_GT(want->size(), 20000u);
  for (const Loader& load :
       {model_file("llama2/tokenizer.model", tokenizer_from_sentencepiece), Loader(llama2_from_bin)}) {
    auto tokenizer = load();
    MLC_ASSERT_OK(tokenizer);
    auto got = tokenizer->encode(part);
    MLC_ASSERT_OK(got);
    EXPECT_EQ(*got, *want);
  }
}

TEST(TokenizerTest, TokensAreBytes) {
  MLC_SKIP_WITHOUT("tokenizers/llama3");
  auto llama3 = model_file("llama3/tokenizer.model", tokenizer_from_tiktoken)();
  MLC_ASSERT_OK(llama3);
  EXPECT_EQ(llama3->vocab_size(), 128256);
  EXPECT_EQ(llama3->token_bytes(9906), "Hello");
  EXPECT_EQ(llama3->token_bytes(1917), " world");
  EXPECT_EQ(*llama3->id_to_token(1917), "Ġworld");
  EXPECT_EQ(*llama3->token_to_id("<|eot_id|>"), 128009);
  EXPECT_TRUE(llama3->is_special(128009));
  EXPECT_FALSE(llama3->is_special(1917));
  EXPECT_EQ(llama3->token_bytes(128256), "");
  EXPECT_EQ(llama3->token_bytes(-1), "");
  EXPECT_EQ(llama3->encode("hi").value().front(), 128000);

  auto llama2 = json_file("tinyllama/tokenizer.json")();
  MLC_ASSERT_OK(llama2);
  EXPECT_EQ(llama2->token_bytes(15043), " Hello");
  EXPECT_EQ(llama2->token_bytes(13), "\n");
  EXPECT_TRUE(llama2->is_byte_fallback(13));
  EXPECT_EQ(llama2->token_bytes(3 + 0xE4), "\xE4");
  EXPECT_EQ(llama2->encode("hi").value().front(), 1);
}

TEST(TokenizerTest, SpecialTokensInTextAreRecognised) {
  MLC_SKIP_WITHOUT("tokenizers/qwen3");
  auto qwen = directory("tokenizers/qwen3")();
  MLC_ASSERT_OK(qwen);
  EXPECT_EQ(qwen->encode("<|im_start|>user").value(), (std::vector<int32_t>{151644, 872}));
  EXPECT_EQ(qwen->eos_id(), 151645);
  EXPECT_EQ(qwen->bos_id(), std::nullopt);
  EXPECT_EQ(qwen->decode(std::vector<int32_t>{151644, 872, 151645}).value(), "user");
  EXPECT_EQ(qwen->decode(std::vector<int32_t>{151644, 872}, false).value(), "<|im_start|>user");
  // <think> is an added token that decode keeps.
  EXPECT_FALSE(qwen->is_special(151667));
  EXPECT_TRUE(qwen->is_added(151667));
}

TEST(TokenizerTest, EveryTokenOfEveryVocabularyStreamsAsItDecodes) {
  MLC_SKIP_WITHOUT("tokenizers/phi3");
  for (const char* name : {"phi3/tokenizer.json", "gpt2/tokenizer.json", "smollm/tokenizer.json"}) {
    auto tokenizer = json_file(name)();
    MLC_ASSERT_OK(tokenizer);
    // Pairs, so that each token is seen at the start and after another; broken byte runs are left to the next test.
    for (int32_t id = 0; id + 1 < tokenizer->vocab_size(); id += 7) {
      if (tokenizer->is_byte_fallback(id) || tokenizer->is_byte_fallback(id + 1)) continue;
      check_stream(*tokenizer, {id, id + 1}, name);
    }
  }
}

TEST(TokenizerTest, BrokenBytesNeverGiveHalfACharacter) {
  MLC_SKIP_WITHOUT("tokenizers/llama2");
  auto tokenizer = json_file("tinyllama/tokenizer.json")();
  MLC_ASSERT_OK(tokenizer);
  auto byte = [](int b) { return 3 + b; };
  StreamDetokenizer stream(*tokenizer);
  EXPECT_EQ(stream.feed(byte(0xE4)), "");
  EXPECT_EQ(stream.feed(byte(0xBD)), "");
  EXPECT_EQ(stream.feed(byte(0xA0)), "你");
  EXPECT_EQ(stream.feed(byte(0xF0)), "");
  EXPECT_EQ(stream.feed(15043), "\xEF\xBF\xBD Hello");
  EXPECT_EQ(stream.feed(byte(0xF0)), "");
  EXPECT_EQ(stream.feed(byte(0x9F)), "");
  EXPECT_EQ(stream.flush(), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{byte(0xF0), byte(0x9F)}).value(), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TokenizerTest, LeadingSpaceIsCutAtTheStartOnly) {
  MLC_SKIP_WITHOUT("tokenizers/llama2");
  auto tokenizer = json_file("tinyllama/tokenizer.json")();
  MLC_ASSERT_OK(tokenizer);
  StreamDetokenizer start(*tokenizer);
  EXPECT_EQ(start.feed(1), "");  // <s> is left out and does not use up the cut
  EXPECT_EQ(start.feed(15043), "Hello");
  EXPECT_EQ(start.feed(15043), " Hello");
  StreamDetokenizer more(*tokenizer, {.continues_text = true});
  EXPECT_EQ(more.feed(15043), " Hello");
}

// Decoders that are no join of bytes: WordPiece glues "##" pieces, Metaspace drops the marks of the first token.
TEST(TokenizerTest, OtherDecodersStreamAsTheyDecode) {
  const char* kWordPiece = R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[
      {"id":0,"content":"[UNK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
      "normalizer":null,"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,
      "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
      "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
      "vocab":{"[UNK]":0,"play":1,"##ing":2,"games":3,".":4}}})";
  auto bert = Tokenizer::from_json(kWordPiece);
  MLC_ASSERT_OK(bert);
  auto ids = bert->encode("playing games.").value();
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(bert->decode(ids).value(), "playing games.");
  check_stream(*bert, ids, "WordPiece");

  const char* kMetaspace = R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
      "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
      "post_processor":null,"decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
      "model":{"type":"Unigram","unk_id":0,"byte_fallback":false,
      "vocab":[["<unk>",0.0],["▁a",-1.0],["▁b",-1.0],["▁",-2.0],["c",-2.0]]}})";
  auto t5 = Tokenizer::from_json(kMetaspace);
  MLC_ASSERT_OK(t5);
  ids = t5->encode("a bc  a").value();
  EXPECT_EQ(t5->decode(ids).value(), "a bc  a");
  check_stream(*t5, ids, "Metaspace");
}

// "legacy": false in tokenizer_config.json: the space in front goes to the start of the text, not after every special
// token.
TEST(TokenizerTest, SentencePieceLegacyFlagDecidesTheSpaceAfterSpecialTokens) {
  MLC_SKIP_WITHOUT("tokenizers/llama2");
  auto model = file("llama2/tokenizer.model");
  MLC_ASSERT_OK(model);
  auto tokens = [&](const Json& config) {
    auto tokenizer = Tokenizer::from_json(tokenizer_from_sentencepiece(*model, config).value()).value();
    auto ids = tokenizer.encode("hi</s>hello", false).value();
    std::string out;
    for (int32_t id : ids) out += *tokenizer.id_to_token(id) + "|";
    return out;
  };
  EXPECT_EQ(tokens(nullptr), "▁hi|</s>|▁hello|");
  EXPECT_EQ(tokens(Json{{"legacy", false}}), "▁hi|</s>|hello|");
}

// tokenizer_config.json may name tokens that tokenizer.json lacks.
TEST(TokenizerTest, AddedTokensOfTheConfigAreAdded) {
  MLC_SKIP_WITHOUT("tokenizers/tinyllama");
  auto json = file("tinyllama/tokenizer.json");
  MLC_ASSERT_OK(json);
  Json config = {{"eos_token", "<|done|>"},
                 {"added_tokens_decoder", {{"32000", {{"content", "<|done|>"}, {"special", true}}}}}};
  auto tokenizer = Tokenizer::from_json(*json, config);
  MLC_ASSERT_OK(tokenizer);
  EXPECT_EQ(tokenizer->eos_id(), 32000);
  EXPECT_EQ(tokenizer->vocab_size(), 32001);
  EXPECT_EQ(tokenizer->encode("<|done|>", false).value(), (std::vector<int32_t>{32000}));
  EXPECT_TRUE(tokenizer->is_special(32000));
}

TEST(TokenizerTest, ModelDirectoriesLoad) {
  MLC_SKIP_WITHOUT("models/stories260K");
  auto stories = Tokenizer::from_directory(testing::data_file("models/stories260K"));
  MLC_ASSERT_OK(stories);
  EXPECT_EQ(stories->vocab_size(), 512);
  // The golden's ids are a text; encoding that text gives them back.
  auto golden = read_json_file(testing::data_file("models/stories260K/golden_greedy.json"));
  MLC_ASSERT_OK(golden);
  auto ids = (*golden)["ids"].get<std::vector<int32_t>>();
  auto text = stories->decode(ids);
  MLC_ASSERT_OK(text);
  EXPECT_EQ(text->substr(0, 16), "Once upon a time");
  EXPECT_EQ(stories->encode(*text).value(), ids);
  check_stream(*stories, ids, *text);

  auto tiny = Tokenizer::from_directory(testing::data_file("models/tinystories-656k-llama"));
  MLC_ASSERT_OK(tiny);
  EXPECT_EQ(tiny->bos_id(), 1);
  EXPECT_EQ(tiny->eos_id(), 2);
  EXPECT_EQ(tiny->encode("Once").value().front(), 1);
}

// A tokenizer.json of GPT-2's vocabulary plus tokens for runs of spaces and tabs: the same but for those runs.
TEST(TokenizerTest, AddedWhitespaceTokensTakeTheirRuns) {
  MLC_SKIP_WITHOUT("tokenizers/gpt2");
  auto tokenizer = json_file("gpt2/tokenizer.json")();
  MLC_ASSERT_OK(tokenizer);
  auto texts = golden_texts();
  auto want = golden_ids("gpt-2");
  int same = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    auto ids = tokenizer->encode(texts[i], false);
    MLC_ASSERT_OK(ids);
    bool runs = texts[i].find("  ") != std::string::npos || texts[i].find("\t\t") != std::string::npos;
    if (!runs) {
      EXPECT_EQ(*ids, want[i]) << texts[i];
    }
    same += *ids == want[i];
    EXPECT_EQ(tokenizer->decode(*ids).value(), texts[i]);
    check_stream(*tokenizer, *ids, texts[i]);
  }
  EXPECT_EQ(same, 40);
}

// This published file has its no-break spaces turned into spaces, so that some merges name three tokens.
TEST(TokenizerTest, ADamagedJsonBesideAModelFileSaysWhatToDo) {
  MLC_SKIP_WITHOUT("tokenizers/llama2");
  auto tokenizer = Tokenizer::from_directory(testing::data_file("tokenizers/llama2"));
  ASSERT_FALSE(tokenizer.has_value());
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(tokenizer.error().message.find("Merges text file invalid"), std::string::npos) << tokenizer.error().message;
  EXPECT_NE(tokenizer.error().message.find("assembled from tokenizer.model"), std::string::npos);
}

TEST(TokenizerTest, OneTokenizerServesManyThreads) {
  MLC_SKIP_WITHOUT("tokenizers/gpt2");
  auto tokenizer = gpt2_from_vocab();
  MLC_ASSERT_OK(tokenizer);
  auto texts = golden_texts();
  auto want = golden_ids("gpt-2");
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        for (size_t i = 0; i < texts.size(); ++i) {
          auto ids = tokenizer->encode(texts[i], false);
          wrong += !ids || *ids != want[i] || tokenizer->decode(*ids).value() != texts[i];
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(TokenizerTest, BadInputIsAnError) {
  EXPECT_EQ(Tokenizer::from_json("").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Tokenizer::from_json("{\"version\": \"1.0\"}").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Tokenizer::from_json("\xFF\xFE").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Tokenizer::from_directory("/nonexistent/dir").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tokenizer_from_tiktoken("IQ== 0\nnot base64", nullptr).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(tokenizer_from_tiktoken("IQ== 0\n", nullptr).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(tokenizer_from_sentencepiece("\x0A\x7F short", nullptr).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(tokenizer_from_llama2c(std::string(20, '\x7F')).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(tokenizer_from_vocab_and_merges(Json{{"a", -1}}, "", nullptr, nullptr).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(tokenizer_from_vocab_and_merges(Json{{"a", 0}}, "a b c\n", nullptr, nullptr).error().code,
            ErrorCode::kCorrupt);
  EXPECT_EQ(tokenizer_from_vocab_and_merges(Json{{"a", 0}}, "", Json{{"tokenizer_class", "XTokenizer"}}, nullptr)
                .error()
                .code,
            ErrorCode::kUnsupported);
  auto empty = TempDir::create();
  MLC_ASSERT_OK(empty);
  EXPECT_EQ(Tokenizer::from_directory(empty->path()).error().code, ErrorCode::kNotFound);
}

TEST(TokenizerTest, TruncatedFilesAreErrorsWhereverTheyEnd) {
  MLC_SKIP_WITHOUT("tokenizers/llama2");
  auto json = file("tinyllama/tokenizer.json");
  auto model = file("llama2/tokenizer.model");
  auto bin = file("llama2/tokenizer.bin");
  MLC_ASSERT_OK(json);
  for (size_t size : {size_t{1}, size_t{100}, json->size() / 2, json->size() - 3}) {
    EXPECT_FALSE(Tokenizer::from_json(json->substr(0, size)).has_value()) << size;
  }
  for (size_t size : {size_t{1}, size_t{101}, model->size() / 2 + 1, size_t{5000}}) {
    EXPECT_FALSE(tokenizer_from_sentencepiece(model->substr(0, size), nullptr).has_value()) << size;
  }
  EXPECT_FALSE(tokenizer_from_llama2c(bin->substr(0, bin->size() - 2)).has_value());
  auto tokenizer = Tokenizer::from_json(*json);
  MLC_ASSERT_OK(tokenizer);
  auto bad = tokenizer->encode("ok \xC3\x28");
  ASSERT_FALSE(bad.has_value());
  EXPECT_NE(bad.error().message.find("offset 3"), std::string::npos) << bad.error().message;
}

TEST(Utf8Test, BrokenSequencesEndWhereUnicodeSays) {
  EXPECT_EQ(replace_invalid("a\xE4\xBD"
                            "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(replace_invalid("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(replace_invalid("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  EXPECT_EQ(next_utf8("\xF0\x9F\x98").kind, Utf8Kind::kIncomplete);
  EXPECT_EQ(next_utf8("\xF0\x9F\x98\x80").size, 4u);
  EXPECT_EQ(next_utf8("\xF5").kind, Utf8Kind::kBroken);
}

}  // namespace
}  // namespace mlc::text
