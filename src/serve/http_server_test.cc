// What clients get: answers, streams, refusals, and what bad or slow ones get.
#include "serve/http_server.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "engine/fake_runner.h"
#include "serve/routes.h"
#include "serve/test_server.h"

namespace mlc::serve {
namespace {

TEST(HttpServer, AnswersItsEndpoints) {
  Running s(brief());
  TestClient c(s.port());
  const TestReply health = c.request("GET", "/health?x=1");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.header("content-type"), "application/json");
  EXPECT_EQ(Json::parse(health.body)["status"], "ok");
  EXPECT_EQ(Json::parse(health.body)["models"]["toy"]["running"], 0);
  EXPECT_EQ(Json::parse(c.request("GET", "/version").body)["version"], "1.2.3");
  const Json models = Json::parse(c.request("GET", "/v1/models").body);
  EXPECT_EQ(models["object"], "list");
  EXPECT_EQ(models["data"][0]["id"], "toy");
  EXPECT_EQ(models["data"][0]["owned_by"], "MLC-LLM");
  EXPECT_EQ(Json::parse(c.request("GET", "/v1/models/models%2Ftoy-dir").body)["id"], "toy");
  EXPECT_EQ(c.request("GET", "/v1/models/other").status, 404);
  const TestReply head = c.request("HEAD", "/health");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(c.request("GET", "/version").status, 200);  // HEAD left no body behind
}

TEST(HttpServer, ChatsAndKeepsTheConnection) {
  Running s(brief());
  TestClient c(s.port());
  for (int i = 0; i < 3; ++i) {
    const TestReply r = c.post(kChatPath, kChat);
    ASSERT_EQ(r.status, 200);
    EXPECT_EQ(Json::parse(r.body)["choices"][0]["message"]["content"], "Hi there");
    const TestReply stream = c.post(kChatPath, kStream);
    EXPECT_EQ(stream.header("content-type"), "text/event-stream; charset=utf-8");
    EXPECT_EQ(joined_text(stream), "Hi there");
    ASSERT_FALSE(stream.events().empty());
    EXPECT_EQ(stream.events().back(), "[DONE]");
  }
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  Running s(brief());
  TestClient c(s.port());
  c.send(TestClient::compose("POST", kChatPath, kStream) + TestClient::compose("GET", "/version") +
         TestClient::compose("POST", kChatPath, kChat));
  EXPECT_EQ(joined_text(c.read_reply()), "Hi there");
  EXPECT_EQ(Json::parse(c.read_reply().body)["version"], "1.2.3");
  EXPECT_EQ(Json::parse(c.read_reply().body)["choices"][0]["message"]["content"], "Hi there");
}

TEST(HttpServer, RefusesWithOpenAisErrors) {
  Running s(brief());
  const auto code = [](const TestReply& r) { return Json::parse(r.body)["error"]["code"].get<std::string>(); };
  TestClient c(s.port());
  TestReply r = c.request("GET", "/nothing");
  EXPECT_EQ(r.status, 404);
  EXPECT_EQ(code(r), "not_found");
  r = c.request("GET", kChatPath);
  EXPECT_EQ(r.status, 405);
  EXPECT_EQ(r.header("allow"), "POST");
  EXPECT_EQ(c.request("OPTIONS", kChatPath).status, 405);  // CORS is off
  r = c.post(kChatPath, "{\"messages\": [}");
  EXPECT_EQ(r.status, 400);
  EXPECT_EQ(code(r), "invalid_json");
  r = c.post("/v1/completions", R"({"prompt": "x", "temperature": "hot"})");
  EXPECT_EQ(r.status, 400);
  EXPECT_EQ(Json::parse(r.body)["error"]["param"], "temperature");
  EXPECT_EQ(Json::parse(r.body)["error"]["type"], "invalid_request_error");
  c.send("POST /v1/completions HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
  r = c.read_reply();
  EXPECT_EQ(r.status, 415);
  TestClient bad(s.port());
  bad.send("this is no HTTP\r\n\r\n");
  r = bad.read_reply();
  EXPECT_EQ(r.status, 400);
  EXPECT_EQ(code(r), "invalid_http");
  EXPECT_TRUE(bad.at_end());
}

TEST(HttpServer, LimitsBodyAndHeader) {
  ServerOptions o = test_options();
  o.max_body_bytes = 1000;
  o.max_header_bytes = 2000;
  Running s(brief(), o);
  TestClient announced(s.port());
  TestReply r = announced.post(kChatPath, std::string(100'000, ' '));
  EXPECT_EQ(r.status, 413);
  EXPECT_NE(r.body.find("1000 bytes"), std::string::npos);
  TestClient chunked(s.port());
  chunked.send(
      "POST /v1/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) chunked.send("64\r\n" + std::string(100, ' ') + "\r\n");
  EXPECT_EQ(chunked.read_reply().status, 413);
  TestClient header(s.port());
  r = header.request("GET", "/health", "", "X-Long: " + std::string(5000, 'a') + "\r\n");
  EXPECT_EQ(r.status, 431);
  TestClient exact(s.port());
  EXPECT_EQ(exact.post(kChatPath, kChat + std::string(1000 - kChat.size(), ' ')).status, 200);
}

TEST(HttpServer, ClosesSlowAndIdleConnections) {
  ServerOptions o = test_options();
  o.header_timeout = 200ms;
  o.body_timeout = 200ms;
  o.idle_timeout = 300ms;
  Running s(brief(), o);
  TestClient silent(s.port()), header(s.port()), body(s.port()), idle(s.port());
  EXPECT_EQ(idle.request("GET", "/health").status, 200);
  body.send("POST /v1/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{");
  const auto begin = std::chrono::steady_clock::now();
  for (const char c : std::string("GET /health HTTP")) {  // a byte now and then does not extend the time
    if (!header.send(std::string(1, c))) break;
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_TRUE(header.at_end());
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(body.at_end());
  EXPECT_TRUE(idle.at_end());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_EQ(TestClient(s.port()).request("GET", "/health").status, 200);
}

TEST(HttpServer, ALeavingClientFreesItsSequenceWithinOneStep) {
  engine::FakeRunnerOptions runner;
  runner.vocab_size = ScriptedEngine::kVocab;
  runner.context_window = 1 << 16;
  runner.step_delay_s = 0.05;
  std::shared_ptr<engine::Engine> engine = engine::Engine::create(engine::make_fake_runner(runner), {}).value();
  Running s(engine);
  const int64_t free_before = engine->stats().kv_pages_free;
  for (const bool stream : {true, false}) {
    TestClient c(s.port());
    c.send(TestClient::compose(
        "POST", "/v1/completions",
        fmt::format(R"({{"prompt": "abc", "ignore_eos": true, "temperature": 0, "stream": {}}})", stream)));
    if (stream) {
      ASSERT_TRUE(c.receive_until("data: "));
    }
    ASSERT_TRUE(soon([&] { return engine->stats().running == 1 && engine->stats().kv_pages_free < free_before; }));
    const int64_t steps = engine->stats().steps;
    c.close();
    ASSERT_TRUE(soon([&] { return engine->stats().running == 0; }));
    EXPECT_LE(engine->stats().steps - steps, 2);  // the one under way when it left, and one on a busy machine
    EXPECT_EQ(engine->stats().kv_pages_free, free_before);
  }
  EXPECT_EQ(engine->stats().cancelled_requests, 2);
  EXPECT_EQ(TestClient(s.port()).request("GET", "/health").status, 200);
}

// The last event, and the ids and text of all: what a stream amounts to.
std::pair<std::string, std::vector<int32_t>> run_stream(uint16_t port, int i) {
  TestClient c(port);
  const std::string prompt = "prompt number " + std::string(static_cast<size_t>(i * 7 + 1), static_cast<char>('a' + i));
  const TestReply r = c.post("/v1/completions", Json{{"prompt", prompt},
                                                     {"stream", true},
                                                     {"temperature", 0},
                                                     {"max_tokens", 40 + i},
                                                     {"ignore_eos", true},
                                                     {"return_token_ids", true}}
                                                    .dump());
  std::vector<int32_t> ids;
  for (const std::string& event : r.events()) {
    if (event == "[DONE]") continue;
    const Json json = Json::parse(event);
    for (const Json& id : json["choices"][0]["token_ids"]) ids.push_back(id.get<int32_t>());
  }
  return {joined_text(r), ids};
}

TEST(HttpServer, EightStreamsTogetherEqualEachAlone) {
  engine::FakeRunnerOptions runner;
  runner.vocab_size = ScriptedEngine::kVocab;
  runner.step_delay_s = 0.001;
  std::shared_ptr<engine::Engine> engine = engine::Engine::create(engine::make_fake_runner(runner), {}).value();
  Running s(engine);
  constexpr int kStreams = 8;
  std::vector<std::pair<std::string, std::vector<int32_t>>> alone, together(kStreams);
  for (int i = 0; i < kStreams; ++i) alone.push_back(run_stream(s.port(), i));
  std::vector<std::thread> threads;
  for (int i = 0; i < kStreams; ++i) {
    threads.emplace_back([&, i] { together[static_cast<size_t>(i)] = run_stream(s.port(), i); });
  }
  for (std::thread& t : threads) t.join();
  for (int i = 0; i < kStreams; ++i) {
    const auto k = static_cast<size_t>(i);
    EXPECT_EQ(alone[k].second.size(), static_cast<size_t>(40 + i));
    EXPECT_EQ(together[k].second.size(), static_cast<size_t>(40 + i));
    EXPECT_EQ(together[k].second, alone[k].second) << "stream " << i;
    EXPECT_EQ(together[k].first, alone[k].first) << "stream " << i;
  }
}

TEST(HttpServer, AClientThatDoesNotReadIsDroppedAndHindersNobody) {
  ServerOptions o = test_options();
  o.write_timeout = 400ms;
  auto engine = std::make_shared<ScriptedEngine>(ScriptedEngine::Options{
      .reply = std::string(1000, 'x'), .ends = false, .context = 1 << 30, .step = 1ms, .tokens_per_event = 5});
  Running s(engine, o);
  TestClient lazy(s.port(), 4096);
  // Alternatives make the answer long enough to fill the buffers of the operating system.
  lazy.send(TestClient::compose(
      "POST", kChatPath,
      R"({"messages": [{"role": "user", "content": "x"}], "stream": true, "logprobs": true, "top_logprobs": 20})"));
  ASSERT_TRUE(soon([&] { return engine->stats().running == 1; }));
  TestClient other(s.port());
  const TestReply r = other.post(kChatPath, R"({"messages": [{"role": "user", "content": "x"}], "max_tokens": 9})");
  EXPECT_EQ(Json::parse(r.body)["choices"][0]["message"]["content"], "xxxxxxxxx");
  EXPECT_TRUE(soon([&] { return engine->stats().running == 0; }));
}

// The limit is for what the client does not take, not for what the engine has not made yet.
TEST(HttpServer, AClientThatWaitsLongerThanAWriteMayIsKept) {
  ServerOptions o = test_options();
  o.write_timeout = 50ms;
  Running s(std::make_shared<ScriptedEngine>(ScriptedEngine::Options{.reply = "Hi", .step = 300ms}), o);
  TestClient c(s.port());
  c.send(TestClient::compose("POST", kChatPath, kStream));
  EXPECT_TRUE(c.receive_until("[DONE]"));
  EXPECT_EQ(c.post(kChatPath, kChat).status, 200);
}

TEST(HttpServer, SendsCommentsWhileNoTokensCome) {
  ServerOptions o = test_options();
  o.keep_alive_comment = 50ms;
  Running s(endless(300ms), o);
  TestClient c(s.port());
  c.send(TestClient::compose("POST", kChatPath, kStream));
  EXPECT_TRUE(c.receive_until(": still here\n\n"));
  EXPECT_TRUE(c.receive_until("on"));
}

// Whatever is added to the table needs a key, unless it is said here that it does not.
TEST(HttpServer, DescribesWhatItServes) {
  Running s(brief());
  TestClient c(s.port());
  const Json described = Json::parse(c.request("GET", "/openapi.json").body)["paths"];
  std::set<std::string> paths;
  for (const auto& [path, methods] : described.items()) {
    paths.insert(path.substr(0, path.find('{')));
    for (const auto& [method, operation] : methods.items()) {
      TestClient d(s.port());
      const std::string real = path.ends_with("{id}") ? "/v1/models/toy" : path;
      const TestReply r = method == "get" ? d.request("GET", real) : d.post(real, "{}");
      EXPECT_TRUE(r.status == 200 || r.status == 400) << method << " " << path << " " << r.status;
      EXPECT_TRUE(operation["responses"].contains(std::to_string(r.status))) << path;
    }
  }
  const std::vector<std::string> served = Routes::paths();
  EXPECT_EQ(paths, std::set<std::string>(served.begin(), served.end()));
  EXPECT_NE(c.request("GET", "/docs").body.find("/ui/docs.js"), std::string::npos);
}

TEST(HttpServer, SpeaksOtherApis) {
  Running s(brief());
  TestClient c(s.port());
  const TestReply response = c.post("/v1/responses", R"({"input": "x"})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(Json::parse(response.body)["output"][0]["content"][0]["text"], "Hi there");
  const TestReply stream = c.post("/v1/responses", R"({"input": "x", "stream": true})");
  ASSERT_FALSE(stream.events().empty());
  EXPECT_EQ(Json::parse(stream.events().back())["type"], "response.completed");
  EXPECT_NE(stream.body.find("event: response.output_text.delta\n"), std::string::npos);
  const std::string messages = R"("messages": [{"role": "user", "content": "x"}])";
  EXPECT_EQ(Json::parse(c.post("/v1/messages", "{\"max_tokens\": 9, " + messages + "}").body)["content"][0]["text"],
            "Hi there");
  TestReply r = c.post("/v1/messages", "{" + messages + "}");
  EXPECT_EQ(r.status, 400);
  EXPECT_EQ(Json::parse(r.body)["type"], "error");
  const Json counted = Json::parse(c.post("/v1/messages/count_tokens", "{" + messages + "}").body);
  EXPECT_EQ(counted["input_tokens"], 19);
  const Json prompt = Json::parse(c.post("/apply-template", "{" + messages + "}").body)["prompt"];
  Json tokens = Json::parse(c.post("/tokenize", "{" + messages + "}").body);
  EXPECT_EQ(tokens["count"], 19);
  EXPECT_EQ(Json::parse(c.post("/detokenize", Json{{"tokens", tokens["tokens"]}}.dump()).body)["content"], prompt);
  tokens = Json::parse(c.post("/tokenize", R"({"content": "\u00e9", "with_pieces": true})").body);
  ASSERT_EQ(tokens["tokens"].size(), 2u);  // bytes are the tokens: each is half of the character
  EXPECT_EQ(tokens["tokens"][0]["piece"], Json::array({0xc3}));
  EXPECT_EQ(c.post("/detokenize", R"({"tokens": "x"})").status, 400);
  EXPECT_EQ(c.post("/tokenize", "{}").status, 400);
}

TEST(HttpServer, AllowsOtherOriginsWhenTold) {
  ServerOptions o = test_options();
  o.cors.origins = {"https://a.example"};
  Running s(brief(), o);
  TestClient c(s.port());
  TestReply r = c.request("OPTIONS", kChatPath, "", "Origin: https://a.example\r\n");
  EXPECT_EQ(r.status, 204);
  EXPECT_EQ(r.header("access-control-allow-origin"), "https://a.example");
  EXPECT_NE(r.header("access-control-allow-methods").find("POST"), std::string::npos);
  EXPECT_EQ(r.header("access-control-allow-headers"), "Authorization, Content-Type");
  r = c.request("GET", "/v1/models", "", "Origin: https://b.example\r\n");
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.header("access-control-allow-origin"), "");
  o.cors.origins = o.cors.methods = o.cors.headers = {"*"};
  Running all(brief(), o);
  TestClient d(all.port());
  r = d.request("OPTIONS", kChatPath, "", "Origin: https://c\r\nAccess-Control-Request-Headers: authorization,x\r\n");
  EXPECT_EQ(r.header("access-control-allow-origin"), "*");
  EXPECT_EQ(r.header("access-control-allow-headers"), "authorization,x");
}

TEST(HttpServer, RepeatsTheRequestId) {
  Running s(brief());
  TestClient c(s.port());
  EXPECT_EQ(c.request("GET", "/health", "", "X-Request-Id: abc-1\r\n").header("x-request-id"), "abc-1");
  EXPECT_TRUE(c.request("GET", "/health", "", "X-Request-Id: a b\r\n").header("x-request-id").starts_with("req-"));
}

TEST(HttpServer, ServesOldClientsAndWaitingOnes) {
  Running s(brief());
  TestClient old(s.port());
  old.send(fmt::format("POST {} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", kChatPath,
                       kStream.size(), kStream));
  const TestReply r = old.read_reply();
  EXPECT_EQ(r.header("transfer-encoding"), "");
  EXPECT_EQ(joined_text(r), "Hi there");
  TestClient waits(s.port());
  waits.send(
      fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
                  "Expect: 100-continue\r\n\r\n",
                  kChatPath, kChat.size()));
  ASSERT_TRUE(waits.receive_until("100 Continue\r\n\r\n"));
  waits.input().clear();
  waits.send(kChat);
  EXPECT_EQ(waits.read_reply().status, 200);
}

}  // namespace
}  // namespace mlc::serve
