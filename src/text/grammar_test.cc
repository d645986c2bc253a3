// Grammars of every kind over real vocabularies: what they accept, what they force, how they fail.
#include "text/grammar.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <unordered_map>

#include "../tests/support/source_dir.h"
#include "text/ebnf.h"
#include "text/test_support.h"

namespace mlc::text {
namespace {

using Kind = GrammarSpec::Kind;

const Tokenizer& demo() {
  static const Tokenizer kDemo =
      Tokenizer::from_directory(testing::source_file("models/demo")).value();  // in the repository
  return kDemo;
}

bool has_bit(const std::vector<uint32_t>& bits, int32_t i) {
  return ((bits[static_cast<size_t>(i) / 32] >> (i % 32)) & 1) != 0;
}

std::vector<uint32_t> mask_of(GrammarState& state, const Tokenizer& tokenizer) {
  std::vector<uint32_t> bits((static_cast<size_t>(tokenizer.vocab_size()) + 31) / 32);
  auto made = state.mask(bits);
  EXPECT_TRUE(made) << made.error().message;
  return bits;
}

// Tokens by their bytes.
class TokenIndex {
 public:
  explicit TokenIndex(const Tokenizer& tokenizer) {
    for (int32_t i = 0; i < tokenizer.vocab_size(); ++i) {
      if (!tokenizer.token_bytes(i).empty()) ids_[tokenizer.token_bytes(i)].push_back(i);
    }
  }
  // The longest allowed token that `text` begins with, or -1.
  int32_t longest(std::string_view text, const std::vector<uint32_t>& bits) const {
    for (size_t size = std::min<size_t>(text.size(), 64); size > 0; --size) {
      const auto it = ids_.find(text.substr(0, size));
      if (it == ids_.end()) continue;
      for (const int32_t id : it->second) {
        if (has_bit(bits, id)) return id;
      }
    }
    return -1;
  }

 private:
  std::unordered_map<std::string_view, std::vector<int32_t>> ids_;
};

// Whether `text` can be written, by some way to cut it into tokens (the longest allowed ones), and may end.
bool accepts(const Grammar& grammar, const Tokenizer& tokenizer, std::string_view text, const TokenIndex& index) {
  GrammarState state = grammar.start().value();
  while (!text.empty()) {
    if (state.must_stop()) return false;
    const int32_t best = index.longest(text, mask_of(state, tokenizer));
    if (best < 0) return false;
    if (auto ok = state.accept(best); !ok) {
      ADD_FAILURE() << "an allowed token was refused: " << ok.error().message;
      return false;
    }
    text.remove_prefix(tokenizer.token_bytes(best).size());
  }
  return state.may_stop();
}

bool accepts(const Grammar& grammar, std::string_view text) {
  static const TokenIndex kIndex(demo());
  return accepts(grammar, demo(), text, kIndex);
}

Grammar compile(Kind kind, const std::string& text) {
  auto grammar = Grammar::compile(demo(), {kind, text});
  EXPECT_TRUE(grammar) << grammar.error().message << "\n" << text;
  return std::move(grammar).value();
}

std::string failure(Kind kind, const std::string& text) {
  auto grammar = Grammar::compile(demo(), {kind, text});
  EXPECT_FALSE(grammar) << text;
  return grammar ? "" : grammar.error().message;
}

void expect_language(Kind kind, const std::string& text, const std::vector<std::string>& inside,
                     const std::vector<std::string>& outside) {
  const Grammar grammar = compile(kind, text);
  for (const std::string& s : inside) EXPECT_TRUE(accepts(grammar, s)) << text << "\nrefuses " << s;
  for (const std::string& s : outside) EXPECT_FALSE(accepts(grammar, s)) << text << "\naccepts " << s;
}

// Random allowed tokens until the grammar ends, or `limit` of them.
std::string random_text(const Grammar& grammar, const Tokenizer& tokenizer, std::mt19937& random, int limit,
                        bool* ended) {
  GrammarState state = grammar.start().value();
  std::string out;
  for (int n = 0; n < limit && !state.must_stop(); ++n) {
    const std::vector<uint32_t> bits = mask_of(state, tokenizer);
    std::vector<int32_t> allowed;
    for (int32_t i = 0; i < tokenizer.vocab_size(); ++i) {
      if (has_bit(bits, i)) allowed.push_back(i);
    }
    EXPECT_TRUE(!allowed.empty() || state.may_stop());
    if (allowed.empty()) break;
    const int32_t token = allowed[random() % allowed.size()];
    EXPECT_FALSE(tokenizer.is_special(token));
    EXPECT_TRUE(state.accept(token));
    out += tokenizer.token_bytes(token);
  }
  *ended = state.may_stop();
  return out;
}

TEST(Grammar, JsonObject) {
  expect_language(
      Kind::kJsonObject, "",
      {"{}", "{\"a\": [1, 2.5e3, null, true]}", "{\n  \"b\": {\"c\": \"x \\u0001\\n\"}\n}", "{\"é\":\"日本\"}"},
      {"[]", "{", "{\"a\": 01}", "{a: 1}", "{\"a\": 1,}", "true", "{} {}"});
}

TEST(Grammar, JsonSchemaFixesTheOrderOfProperties) {
  const std::string schema = R"({"type": "object", "additionalProperties": false, "required": ["z", "a"],
      "properties": {"z": {"type": "integer", "minimum": 3}, "m": {"enum": ["x", "y"]}, "a": {"type": "boolean"}}})";
  expect_language(Kind::kJsonSchema, schema,
                  {R"({"z": 3, "a": true})", R"({"z": 12, "m": "y", "a": false})", R"({"z":3,"a":true})"},
                  {R"({"a": true, "z": 3})", R"({"z": 2, "a": true})", R"({"z": 3})", R"({"z": 3, "a": true, "b": 1})",
                   R"({"z": 3, "m": "q", "a": true})"});
}

TEST(Grammar, JsonSchemaMayBeTrueOrEmpty) {
  expect_language(Kind::kJsonSchema, "true", {"3", "\"a\"", "[1, {}]"}, {"", "x"});
  expect_language(Kind::kJsonSchema, "{}", {"3", "null"}, {"nul"});
}

TEST(Grammar, WhatASchemaAsksInVainIsNamed) {
  const auto expect = [](const std::string& schema, const std::vector<std::string>& parts) {
    const std::string message = failure(Kind::kJsonSchema, schema);
    for (const std::string& part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect(R"({"properties": {"a": {"not": {"type": "string"}}}})", {"'not'", "#/properties/a"});
  expect(R"({"type": "array", "items": {"type": "array", "uniqueItems": true}})", {"'uniqueItems'", "#/items"});
  expect(R"({"if": {"type": "string"}, "then": {"minLength": 2}})", {"'if'", "'then'"});
  expect(R"({"oneOf": [{"type": "integer"}, {"minimum": 3}]})", {"'oneOf'", "anyOf"});
  expect(R"({"properties": {"a": {"type": "string", "format": "uri-reference"}}})",
         {"'format'", "uri-reference", "#/properties/a"});
  expect(R"({"type": "object", "properties": {"a": {}, "b": {}}, "maxProperties": 1})", {"'maxProperties'"});
  expect("[1]", {"expected an object"});
  expect("{", {"not valid JSON"});
  expect("false", {"expected an object"});
  expect(R"({"type": "strin"})", {"strin"});
  expect(R"({"$ref": "#/nowhere"})", {"nowhere"});
  expect(R"({"$ref": "http://127.0.0.1:1/schema.json"})", {"127.0.0.1"});
  expect(R"({"type": "string", "pattern": "(a"})", {"(a"});
  expect(R"({"type": "integer", "minimum": 4, "maximum": 3})", {"minimum", "maximum"});
  expect(std::string(5000, '[') + std::string(5000, ']'), {"nested"});
}

TEST(Grammar, UnknownFormatsAreAnnotations) {
  expect_language(Kind::kJsonSchema, R"({"type": "string", "format": "topic"})", {"\"any\""}, {"3"});
  expect_language(Kind::kJsonSchema, R"({"type": "string", "format": "date"})", {"\"2024-02-29\""}, {"\"2024-02-31\""});
}

TEST(Grammar, LenientSchemasLeaveOutWhatCannotBeEnforced) {
  const std::string schema = R"({"type": "array", "uniqueItems": true, "items": {"type": "integer"}})";
  auto grammar = Grammar::compile(demo(), {Kind::kJsonSchema, schema, true});
  MLC_ASSERT_OK(grammar);
  EXPECT_NE(grammar->warnings().find("uniqueItems"), std::string::npos) << grammar->warnings();
  EXPECT_TRUE(accepts(*grammar, "[1, 1]"));
  EXPECT_FALSE(accepts(*grammar, "[\"1\"]"));
  EXPECT_FALSE(Grammar::compile(demo(), {Kind::kJsonSchema, schema, false}));
}

TEST(Grammar, Regex) {
  expect_language(Kind::kRegex, "[a-f]{2,3}(-[0-9]+)?", {"ab", "abc-12"}, {"a", "abcd", "ab-"});
  expect_language(Kind::kRegex, "^yes|no$", {"yes", "no"}, {"maybe"});
  expect_language(Kind::kRegex, "a\\$", {"a$"}, {"a", "a\\"});
  expect_language(Kind::kRegex, "a/b\\n", {"a/b\n"}, {"a/b"});
  expect_language(Kind::kRegex, "[äöü]+", {"äö"}, {"a", ""});
  for (const char* wrong : {"", "(", "[z-a]", "a{3,2}", "(?=a)b", "\\1", "*"}) {
    EXPECT_FALSE(failure(Kind::kRegex, wrong).empty()) << wrong;
  }
}

TEST(Grammar, Lark) {
  expect_language(Kind::kLark, "start: greeting \" \" NAME\ngreeting: \"hi\" | \"hello\"\nNAME: /[A-Z][a-z]+/\n",
                  {"hi Bob", "hello Ann"}, {"hi bob", "hi", "hey Bob"});
  expect_language(Kind::kLark, "start: \"(\" start \")\" | \"x\"", {"x", "((x))"}, {"((x)", "()"});
  for (const char* wrong : {"", "begin: \"a\"", "start: b", "start: \"a", "start: %json {"}) {
    EXPECT_FALSE(failure(Kind::kLark, wrong).empty()) << wrong;
  }
  EXPECT_NE(failure(Kind::kLark, "start: " + std::string(100000, '(')).find("nested"), std::string::npos);
}

TEST(Grammar, Choice) {
  expect_language(Kind::kChoice, R"(["yes", "no", "\"maybe\"\n", "yes and no", "日本"])",
                  {"yes", "no", "\"maybe\"\n", "yes and no", "日本"}, {"y", "yes and", "nono", ""});
  for (const char* wrong : {"[]", "[1]", "[\"\"]", "{}", "x"}) EXPECT_FALSE(failure(Kind::kChoice, wrong).empty());
}

TEST(Grammar, EbnfOfManyHands) {
  // Regular: exact, also where a greedy lexer would fail.
  expect_language(Kind::kEbnf, "root ::= [a-z]+ \"x\" tail?  # comment\ntail ::= \"-\" [^a-z\\n]{2}",
                  {"ax", "xx", "abcx-12"}, {"x", "a", "ax-1", "ax-1a"});
  expect_language(Kind::kEbnf, "root ::= (\"a\" | \"b\")* \"\\x41\\u00e9\" .", {"abAé!", "Aé\n"}, {"abAe!"});
  expect_language(Kind::kEbnf, "root ::= \"\" | \"[\" [\\]\\-^]{1,} \"]\"", {"", "[]]", "[-^]"}, {"[]", "[a]"});
  // Recursive.
  const std::string sums = R"__(
    root  ::= (expr "=" ws term "\n")+
    expr  ::= term ([-+*/] term)*
    term  ::= ident | num | "(" ws expr ")" ws
    ident ::= [a-z] [a-z0-9_]* ws
    num   ::= [0-9]+ ws
    ws    ::= [ \t]*
  )__";
  expect_language(Kind::kEbnf, sums, {"1+2=3\n", "(a1 +2)*3 = (b)\n"}, {"1+=3\n", "(1=2\n", "1=2"});
  const std::string json = R"__(root ::= value
    value  ::= object | array | string | number | ("true" | "false" | "null")
    object ::= "{" ws (pair ("," ws pair)*)? "}"
    pair   ::= string ":" ws value ws
    array  ::= "[" ws (value ws ("," ws value ws)*)? "]"
    string ::= "\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\""
    number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
    ws     ::= [ \t\n]*)__";
  expect_language(Kind::kEbnf, json, {R"({"a": [1, -2.5e3, "x\"y"], "b": {}})", "[]", "null", "12"},
                  {"{", "01", "[1,]", "\"a"});
}

TEST(Grammar, EbnfFaultsAreLocated) {
  const auto expect = [](const std::string& text, const std::string& part) {
    const auto lark = lark_of_ebnf(text);
    ASSERT_FALSE(lark) << *lark;
    EXPECT_NE(lark.error().message.find(part), std::string::npos) << lark.error().message;
  };
  expect("", "no rules");
  expect("a ::= \"x\"", "no rule named root");
  expect("root ::= b", "no rule 'b'");
  expect("root ::= \"x\nroot", "line 1, column 10");
  expect("root ::= \"a\"\nroot ::= \"b\"", "twice");
  expect("root ::= (\"a\"", "no )");
  expect("root ::= \"a\")", "line 1, column 13");
  expect("root ::= [z-a]", "backwards");
  expect("root ::= [", "no ]");
  expect("root ::= \"a\"{3,2}", "swapped");
  expect("root ::= \"a\"{999999999999}", "repetitions");
  expect("root ::= \"\\q\"", "\\q is unknown");
  expect("root ::= \"\\ud800\"", "Unicode");
  expect("root ::= \"\xff\"", "UTF-8");
  expect("root = \"a\"", "expected ::=");
  expect("root ::= (?=\"a\")", "look-ahead");
  expect("root ::= TagDispatch((\"a\", b))", "not supported");
  expect("root ::= " + std::string(5000, '('), "nested");
}

TEST(Grammar, ForcedTokensAreAllowedOnes) {
  const Grammar grammar = compile(Kind::kLark, "start: \"The answer is: \" /[0-9]/ \" of ten.\"");
  GrammarState state = grammar.start().value();
  std::string text;
  int forced_tokens = 0;
  while (!state.must_stop()) {
    const std::vector<int32_t> forced = state.forced();
    if (forced.empty()) {
      const std::vector<uint32_t> bits = mask_of(state, demo());
      int32_t any = 0;
      while (!has_bit(bits, any)) ++any;
      ASSERT_TRUE(state.accept(any));
      text += demo().token_bytes(any);
    }
    for (const int32_t token : forced) {
      EXPECT_TRUE(has_bit(mask_of(state, demo()), token));
      ASSERT_TRUE(state.accept(token));
      text += demo().token_bytes(token);
      ++forced_tokens;
    }
  }
  EXPECT_TRUE(text.starts_with("The answer is: ")) << text;
  EXPECT_TRUE(text.ends_with(" of ten.")) << text;
  EXPECT_GT(forced_tokens, 3);
}

TEST(Grammar, RandomTextsAreInTheLanguage) {
  std::mt19937 random(11);
  const Grammar regex = compile(Kind::kRegex, "([a-c]{2}[0-9]){1,4}\\.");
  const Grammar schema = compile(Kind::kJsonSchema, R"({"type": "object", "additionalProperties": false,
      "required": ["a", "b"], "properties": {"a": {"type": "integer", "minimum": -5, "maximum": 120},
      "b": {"type": "array", "maxItems": 3, "items": {"enum": ["x", "y", 3, null]}}}})");
  int ended = 0;
  for (int i = 0; i < 60; ++i) {
    bool end = false;
    const std::string text = random_text(regex, demo(), random, 40, &end);
    if (end) {
      EXPECT_TRUE(accepts(regex, text)) << text;
    }
    const std::string json = random_text(schema, demo(), random, 200, &end);
    if (!end) continue;  // still among spaces
    ++ended;
    const Json value = Json::parse(json, nullptr, false);
    ASSERT_TRUE(value.is_object()) << json;
    EXPECT_TRUE(value["a"].is_number_integer() && value["a"] >= -5 && value["a"] <= 120) << json;
    EXPECT_LE(value["b"].size(), 3u);
  }
  EXPECT_GT(ended, 30);
}

TEST(Grammar, StatesAreIndependentAndFailuresStay) {
  const Grammar grammar = compile(Kind::kRegex, "(ab|ac)+d");
  GrammarState first = grammar.start().value();
  const int32_t a = demo().encode("a", false).value().back(), d = demo().encode("d", false).value().back();
  ASSERT_EQ(demo().token_bytes(a), "a");
  ASSERT_TRUE(first.accept(a));
  GrammarState second(first);
  EXPECT_FALSE(first.accept(d));
  std::vector<uint32_t> bits((static_cast<size_t>(demo().vocab_size()) + 31) / 32);
  EXPECT_FALSE(first.mask(bits));
  EXPECT_FALSE(first.accept(a));
  EXPECT_TRUE(second.mask(bits));
  EXPECT_FALSE(grammar.start().value().accept(-1));
  EXPECT_FALSE(grammar.start().value().accept(1 << 30));
  // A mask for a model with a larger vocabulary, and with a smaller one.
  std::vector<uint32_t> wide(bits.size() + 100, ~0U), narrow(2, ~0U);
  EXPECT_TRUE(second.mask(wide));
  EXPECT_TRUE(std::equal(bits.begin(), bits.end(), wide.begin()));
  EXPECT_TRUE(std::all_of(wide.begin() + static_cast<std::ptrdiff_t>(bits.size()), wide.end(),
                          [](uint32_t w) { return w == 0; }));
  EXPECT_TRUE(second.mask(narrow));
}

TEST(Grammar, ThreadsShareAGrammar) {
  const Grammar grammar = compile(Kind::kJsonObject, "");
  std::vector<std::thread> threads;
  std::vector<std::string> texts(6);
  for (size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&, i] {
      std::mt19937 random(static_cast<unsigned>(i / 2));
      bool end = false;
      for (int n = 0; n < 10; ++n) {
        const Grammar own = compile(Kind::kJsonObject, "");
        texts[i] += random_text(own, demo(), random, 30, &end) + "\n";
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (size_t i = 0; i < texts.size(); i += 2) EXPECT_EQ(texts[i], texts[i + 1]);
}

TEST(Grammar, TextForcedWithoutEndIsBounded) {
  auto grammar = Grammar::compile(demo(), {Kind::kLark, "start: \"ab\" start"});
  if (!grammar) return;  // refused when it is compiled: as good
  auto state = grammar->start();
  if (!state) return;
  EXPECT_LT(state->forced().size(), 100000u);
}

class GrammarVocabularies : public ::testing::TestWithParam<const char*> {};

// SentencePiece vocabularies put a space before a text; none of it may show in forced text.
TEST_P(GrammarVocabularies, JsonThroughEveryKindOfTokenizer) {
  const std::string name = std::string("tokenizers/") + GetParam();
  MLC_SKIP_WITHOUT(name);
  auto tokenizer = Tokenizer::from_directory(testing::data_file(name));
  MLC_ASSERT_OK(tokenizer);
  const TokenIndex index(*tokenizer);
  const std::string schema = R"({"type": "object", "additionalProperties": false, "required": ["first name", "<|end|>"],
      "properties": {"first name": {"type": "string"}, "<|end|>": {"const": "a long constant text, <s> and é"}}})";
  auto grammar = Grammar::compile(*tokenizer, {Kind::kJsonSchema, schema});
  MLC_ASSERT_OK(grammar);
  EXPECT_TRUE(accepts(*grammar, *tokenizer,
                      R"({"first name": "Zoë 日本", "<|end|>": "a long constant text, <s> and é"})", index));
  EXPECT_FALSE(accepts(*grammar, *tokenizer, R"({"first name": 3})", index));
  // What is forced, from where it can be.
  GrammarState state = grammar->start().value();
  std::string text;
  const std::vector<int32_t> opening = tokenizer->encode("x{\"", false).value();
  for (const int32_t token : opening) {
    const std::string_view bytes = tokenizer->token_bytes(token);
    if (bytes != "{" && bytes != "{\"" && bytes != "\"") continue;
    ASSERT_TRUE(state.accept(token));
    text += bytes;
  }
  for (const int32_t token : state.forced()) {
    ASSERT_TRUE(state.accept(token));
    EXPECT_FALSE(tokenizer->is_special(token));
    text += tokenizer->token_bytes(token);
  }
  EXPECT_TRUE(std::string_view("{\"first name\":").starts_with(text)) << text;
  EXPECT_TRUE(text.starts_with("{\"first")) << text;
}

INSTANTIATE_TEST_SUITE_P(All, GrammarVocabularies,
                         ::testing::Values("tinyllama", "llama3", "qwen3", "phi3", "gpt2", "smollm"));

}  // namespace
}  // namespace mlc::text
