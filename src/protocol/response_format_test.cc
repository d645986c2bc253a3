// Structured output from the request's JSON to the text of the answer: a real engine whose model says random things, so
// that only the grammar can make the text right.
#include "protocol/response_format.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "engine/fake_runner.h"
#include "protocol/api.h"
#include "protocol/scripted_engine.h"

namespace mlc::protocol {
namespace {

ModelList random_model() {
  engine::FakeRunnerOptions fake;
  fake.vocab_size = ScriptedEngine::kVocab;
  fake.max_rows = 32;
  auto engine = engine::Engine::create(engine::make_fake_runner(fake), {});
  EXPECT_TRUE(engine) << engine.error().message;
  ModelList models;
  models.add(std::make_shared<const ServedModel>(toy_model("toy", std::move(*engine))));
  return models;
}

struct Reply {
  int status = 200;
  OrderedJson json;
};

Reply ask(const ModelList& models, const OrderedJson& extra, Endpoint endpoint = Endpoint::kChat) {
  OrderedJson body = extra;
  if (endpoint == Endpoint::kChat) {
    body["messages"] = OrderedJson::array({{{"role", "user"}, {"content", "x"}}});
  } else {
    body["prompt"] = "x";
  }
  if (!body.contains("max_tokens")) body["max_tokens"] = 400;
  auto started = start_request(models, endpoint, body.dump(), [] {});
  if (!started) return {started.error().status, started.error().json()};
  Answer& g = **started;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!g.finished() && std::chrono::steady_clock::now() < deadline) {
    g.poll();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_TRUE(g.finished());
  if (g.failed()) return {g.failed()->status, g.failed()->json()};
  return {200, OrderedJson::parse(g.body())};
}

std::string text_of(const Reply& a, size_t choice = 0) {
  EXPECT_EQ(a.status, 200) << a.json.dump();
  if (a.status != 200) return "";
  const OrderedJson& c = a.json["choices"][choice];
  return c.contains("message") ? c["message"]["content"].get<std::string>() : c["text"].get<std::string>();
}

std::string finish_of(const Reply& a, size_t choice = 0) {
  return a.status == 200 ? a.json["choices"][choice]["finish_reason"].get<std::string>() : "";
}

// z before a: the order of the request, which is not that of the alphabet.
const char* kSchema = R"({"type": "object", "additionalProperties": false, "required": ["z", "a"],
  "properties": {"z": {"enum": ["one", "two"]}, "a": {"type": "integer", "minimum": 0, "maximum": 99}}})";

void expect_schema(const std::string& text) {
  const OrderedJson value = OrderedJson::parse(text, nullptr, false);
  ASSERT_TRUE(value.is_object()) << text;
  EXPECT_EQ(value.begin().key(), "z") << text;
  EXPECT_TRUE(value["z"] == "one" || value["z"] == "two") << text;
  EXPECT_TRUE(value["a"].is_number_integer() && value["a"] >= 0 && value["a"] <= 99) << text;
}

OrderedJson format(const char* json) { return {{"response_format", OrderedJson::parse(json)}}; }

TEST(ResponseFormat, EveryWayToAskForASchema) {
  const ModelList models = random_model();
  const OrderedJson schema = OrderedJson::parse(kSchema);
  const std::vector<OrderedJson> ways = {
      {{"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "n"}, {"schema", schema}}}}}},
      {{"response_format",
        {{"type", "json_schema"}, {"json_schema", {{"name", "n"}, {"strict", true}, {"schema", schema}}}}}},
      {{"response_format",
        {{"type", "json_schema"}, {"json_schema", {{"name", "n"}, {"strict", false}, {"schema", schema}}}}}},
      {{"response_format", {{"type", "json_object"}, {"schema", kSchema}}}},
      {{"response_format", {{"type", "json_object"}, {"schema", schema}}}},
      {{"guided_json", schema}},
      {{"guided_json", kSchema}},
      {{"structured_outputs", {{"json", schema}}}},
  };
  int complete = 0;
  for (const OrderedJson& way : ways) {
    for (const Endpoint endpoint : {Endpoint::kChat, Endpoint::kCompletion}) {
      for (int seed = 0; seed < 3; ++seed) {
        OrderedJson body = way;
        body["seed"] = seed;
        const Reply a = ask(models, body, endpoint);
        const std::string text = text_of(a);
        if (finish_of(a) == "length") continue;  // random spaces without end
        EXPECT_EQ(finish_of(a), "stop");
        expect_schema(text);
        ++complete;
      }
    }
  }
  EXPECT_GE(complete, 40);
}

TEST(ResponseFormat, OtherKinds) {
  const ModelList models = random_model();
  const auto text = [&](const OrderedJson& body) { return text_of(ask(models, body)); };
  EXPECT_FALSE(text(format(R"({"type": "text"})")).empty());
  EXPECT_TRUE(text(format(R"({"type": "json_object"})")).starts_with("{"));
  for (const std::string& number :
       {text(format(R"({"type": "regex", "regex": "[1-9][0-9]{3}"})")),
        text(format(R"({"type": "regex", "pattern": "^[1-9][0-9]{3}$"})")), text({{"guided_regex", "[1-9][0-9]{3}"}}),
        text({{"structured_outputs", {{"regex", "[1-9][0-9]{3}"}}}}),
        text(format(R"({"type": "lark", "grammar": "start: /[1-9][0-9]{3}/"})")),
        text(format(R"({"type": "ebnf", "grammar": "root ::= [1-9] [0-9]{3}"})")),
        text(format(R"({"type": "grammar", "grammar": "root ::= [1-9] [0-9]{3}"})")),
        text({{"guided_grammar", "root ::= [1-9] [0-9]{3}"}}), text({{"guided_grammar", "start: /[1-9][0-9]{3}/"}})}) {
    EXPECT_EQ(number.size(), 4u) << number;
    EXPECT_TRUE(std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; })) << number;
  }
  for (const std::string& choice :
       {text(format(R"({"type": "choice", "choices": ["red", "green"]})")), text({{"guided_choice", {"red", "green"}}}),
        text({{"structured_outputs", {{"choice", {"red", "green"}}}}})}) {
    EXPECT_TRUE(choice == "red" || choice == "green") << choice;
  }
}

TEST(ResponseFormat, ChoicesFollowTheGrammarEachForItself) {
  const ModelList models = random_model();
  OrderedJson body = {{"n", 6}, {"seed", 1}, {"guided_regex", "[a-z]{8}"}};
  const Reply a = ask(models, body);
  std::set<std::string> texts;
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(text_of(a, i).size(), 8u);
    EXPECT_EQ(finish_of(a, i), "stop");
    texts.insert(text_of(a, i));
  }
  EXPECT_GT(texts.size(), 3u);
  EXPECT_EQ(a.json["usage"]["completion_tokens"], 48);
}

TEST(ResponseFormat, LogprobsComeWithEveryToken) {
  const ModelList models = random_model();
  const OrderedJson plain = {{"seed", 5}, {"guided_regex", "(yes|no), because [a-z]{3}"}};
  OrderedJson scored = plain;
  scored["logprobs"] = true;
  scored["top_logprobs"] = 2;
  const Reply a = ask(models, scored);
  EXPECT_EQ(text_of(a), text_of(ask(models, plain)));
  const OrderedJson& content = a.json["choices"][0]["logprobs"]["content"];
  std::string joined;
  for (const OrderedJson& token : content) {
    joined += token["token"].get<std::string>();
    EXPECT_LT(token["logprob"].get<double>(), 0);
    EXPECT_EQ(token["top_logprobs"].size(), 2u);
  }
  EXPECT_EQ(joined, text_of(a));
}

TEST(ResponseFormat, TheEndOfTheGrammarEndsARequestThatIgnoresStops) {
  const ModelList models = random_model();
  const Reply a = ask(models, {{"ignore_eos", true}, {"guided_regex", "[ab]{5}"}});
  EXPECT_EQ(text_of(a).size(), 5u);
  EXPECT_EQ(finish_of(a), "stop");
}

TEST(ResponseFormat, WhatCannotBeHonouredIsA400ThatNamesIt) {
  const ModelList models = random_model();
  const auto expect = [&](const OrderedJson& body, const std::string& param, const std::string& part) {
    const Reply a = ask(models, body);
    EXPECT_EQ(a.status, 400) << body.dump();
    EXPECT_EQ(a.json["error"]["param"], param) << a.json.dump();
    EXPECT_NE(a.json["error"]["message"].get<std::string>().find(part), std::string::npos) << a.json.dump();
  };
  expect(format(R"({"type": "json_schema", "json_schema": {"name": "n", "schema": {"not": {}}}})"),
         "response_format.json_schema.schema", "'not'");
  expect({{"guided_json", {{"uniqueItems", true}}}}, "guided_json", "'uniqueItems'");
  expect(format(R"({"type": "json_schema"})"), "response_format.json_schema", "missing");
  expect(format(R"({"type": "json_schema", "json_schema": {"schema": [1]}})"), "response_format.json_schema.schema",
         "array");
  expect(format(R"({"type": "json_schema", "json_schema": {"strict": 1, "schema": {}}})"),
         "response_format.json_schema.strict", "true or false");
  expect(format(R"({"type": "yaml"})"), "response_format.type", "json_schema");
  expect(format(R"({})"), "response_format.type", "missing");
  expect(format(R"("json_object")"), "response_format", "object");
  expect(format(R"({"type": "regex"})"), "response_format.regex", "missing");
  expect(format(R"({"type": "regex", "regex": "("})"), "response_format.regex", "(");
  expect(format(R"({"type": "choice", "choices": []})"), "response_format.choices", "at least one");
  expect(format(R"({"type": "choice", "choices": ["a", 1]})"), "response_format.choices[1]", "string");
  expect(format(R"({"type": "ebnf", "grammar": "root ::= b"})"), "response_format.grammar", "no rule 'b'");
  expect(format(R"({"type": "structural_tag"})"), "response_format.type", "structural_tag");
  expect({{"guided_regex", "a"}, {"guided_choice", {"a"}}}, "guided_choice", "guided_regex");
  expect({{"structured_outputs", {{"regex", "a"}, {"choice", {"a"}}}}}, "structured_outputs", "more than one");
  expect({{"structured_outputs", 1}}, "structured_outputs", "object");
  // Of the same kind, but nothing is asked for.
  EXPECT_EQ(ask(models, {{"response_format", nullptr}, {"max_tokens", 3}}).status, 200);
  EXPECT_EQ(ask(models, {{"structured_outputs", OrderedJson::object()}, {"max_tokens", 3}}).status, 200);
  EXPECT_EQ(ask(models, {{"guided_json_object", false}, {"max_tokens", 3}}).status, 200);
}

TEST(ResponseFormat, ResponsesNameItTextFormat) {
  const ModelList models = random_model();
  const auto post = [&](const OrderedJson& text) {
    const OrderedJson body = {{"input", "x"}, {"max_output_tokens", 400}, {"text", text}};
    auto started = start_request(models, Endpoint::kResponses, body.dump(), [] {});
    if (!started) return Reply{started.error().status, started.error().json()};
    while (!(*started)->finished()) {
      (*started)->poll();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return Reply{200, OrderedJson::parse((*started)->body())};
  };
  const Reply a = post({{"format", {{"type", "json_schema"}, {"name", "n"}, {"schema", OrderedJson::parse(kSchema)}}}});
  ASSERT_EQ(a.status, 200) << a.json.dump();
  if (a.json["status"] == "completed") expect_schema(a.json["output"][0]["content"][0]["text"].get<std::string>());
  const Reply number = post({{"format", {{"type", "regex"}, {"regex", "[0-9]{4}"}}}});
  EXPECT_EQ(number.json["output"][0]["content"][0]["text"].get<std::string>().size(), 4u);
  const Reply refused = post({{"format", {{"type", "json_schema"}, {"name", "n"}, {"schema", {{"not", {}}}}}}});
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json["error"]["param"], "text.format") << refused.json.dump();
}

TEST(ResponseFormat, AModelWithoutATokenizerSaysSo) {
  ServedModel model = toy_model("toy", std::make_shared<ScriptedEngine>(ScriptedEngine::Options{}));
  model.tokenizer.reset();
  ModelList models;
  models.add(std::make_shared<const ServedModel>(std::move(model)));
  auto g = start_request(models, Endpoint::kCompletion, R"({"prompt": [1], "guided_regex": "a"})", [] {});
  ASSERT_FALSE(g);
  EXPECT_EQ(g.error().status, 400);
  EXPECT_EQ(g.error().param, "guided_regex");
}

}  // namespace
}  // namespace mlc::protocol
