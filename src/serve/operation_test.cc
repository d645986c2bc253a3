// What operators get: keys, states, limits, metrics, and how the server ends.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "serve/stall_watch.h"
#include "serve/test_server.h"

namespace mlc::serve {
namespace {

TEST(HttpServer, RefusesMoreRequestsThanItMayHold) {
  ServerOptions o = test_options();
  o.max_requests = 1;
  auto engine = endless(1ms);
  Running s(engine, o);
  TestClient first(s.port()), second(s.port());
  first.send(TestClient::compose("POST", kChatPath, kStream));
  ASSERT_TRUE(first.receive_until("data: "));
  const TestReply r = second.post(kChatPath, kChat);
  EXPECT_EQ(r.status, 429);
  EXPECT_EQ(r.header("retry-after"), "1");
  EXPECT_EQ(Json::parse(r.body)["error"]["code"], "queue_full");
  EXPECT_EQ(second.request("GET", "/health").status, 200);
}

TEST(HttpServer, AsksForTheKey) {
  ServerOptions o = test_options();
  o.api_keys = {"secret"};
  Running s(brief(), o);
  TestClient c(s.port());
  EXPECT_EQ(c.request("GET", "/health").status, 200);
  EXPECT_EQ(c.request("GET", "/v1/models").status, 401);
  EXPECT_EQ(c.request("GET", "/v1/models", "", "Authorization: Bearer secre\r\n").status, 401);
  EXPECT_EQ(c.request("GET", "/v1/models", "", "Authorization: Bearer secretsecret\r\n").status, 401);
  EXPECT_EQ(c.request("GET", "/v1/models", "", "Authorization: Bearer \r\n").status, 401);
  EXPECT_EQ(c.request("GET", "/v1/models", "", "Authorization: Basic secret\r\n").status, 401);
  EXPECT_EQ(c.request("GET", "/v1/models", "", "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(c.request("GET", "/v1/models", "", "Authorization: bearer secret\r\n").status, 200);
  EXPECT_EQ(c.request("GET", "/v1/models", "", "X-Api-Key: secret\r\n").status, 200);
  TestClient post(s.port());
  EXPECT_EQ(post.post(kChatPath, kChat).status, 401);
}

TEST(HttpServer, WithoutAKeyThereIsOnlyHealth) {
  ServerOptions o = test_options();
  o.api_keys = {"secret"};
  o.debug_endpoints = true;
  Running s(brief(), o);
  for (const char* path : {"/version", "/metrics", "/v1/models", "/v1/models/toy", "/nothing"}) {
    TestClient c(s.port());
    EXPECT_EQ(c.request("GET", path).status, 401) << path;
  }
  for (const char* path :
       {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens",
        "/tokenize", "/detokenize", "/apply-template", "/debug/dump_engine_metrics", "/debug/dump_event_trace",
        "/debug/reset_engine", "/debug/reset_engine_metrics"}) {
    TestClient c(s.port());
    EXPECT_EQ(c.post(path, "{}").status, 401) << path;
  }
  for (const char* path : {"/health", "/health/live", "/health/ready", "/docs", "/openapi.json", "/"}) {
    TestClient c(s.port());
    EXPECT_EQ(c.request("GET", path).status, 200) << path;
  }
}

TEST(HttpServer, DebugEndpointsAreThereWhenAskedFor) {
  const std::vector<std::string> paths = {"/debug/dump_event_trace", "/debug/reset_engine",
                                          "/debug/dump_engine_metrics", "/debug/reset_engine_metrics"};
  Running without(brief());
  ServerOptions o = test_options();
  o.debug_endpoints = true;
  Running with(brief(), o);
  for (const std::string& path : paths) {
    TestClient c(without.port()), d(with.port());
    EXPECT_EQ(c.post(path, "{}").status, 404) << path;
    const TestReply r = d.post(path, "{}");
    // This engine records nothing: --enable-tracing would have to be given.
    EXPECT_EQ(r.status, path == "/debug/dump_event_trace" ? 400 : 200) << path << r.body;
    if (r.status == 400) {
      EXPECT_EQ(Json::parse(r.body)["error"]["code"], "tracing_disabled");
    }
  }
  TestClient c(with.port());
  EXPECT_EQ(c.post("/debug/reset_engine", R"({"model": 3})").status, 400);
}

#ifdef SIGHUP  // Windows has no such signal
TEST(HttpServer, ReadsItsKeysAgain) {
  const std::string file = testing::TempDir() + "/keys.txt";
  std::ofstream(file) << "# clients\nfirst\n\n  second  \n";
  ServerOptions o = test_options();
  o.api_key_file = file;
  o.handle_signals = true;
  Running s(brief(), o);
  const auto status = [&](const char* key) {
    TestClient c(s.port());
    return c.request("GET", "/version", "", fmt::format("Authorization: Bearer {}\r\n", key)).status;
  };
  EXPECT_EQ(status("first"), 200);
  EXPECT_EQ(status("second"), 200);
  EXPECT_EQ(status("# clients"), 401);
  std::ofstream(file) << "third\n";
  std::raise(SIGHUP);
  EXPECT_TRUE(soon([&] { return status("third") == 200; }));
  EXPECT_EQ(status("first"), 401);
  std::ofstream(file) << "";  // a file without keys opens nothing and takes nothing away
  std::raise(SIGHUP);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(status("third"), 200);
  EXPECT_EQ(status(""), 401);
}
#endif

TEST(HttpServer, TellsWhetherItIsReady) {
  ServerOptions o = test_options();
  o.drain_delay = 60s;
  Running s(brief(), o, /*loaded=*/false);
  const auto get = [&](const char* path) {
    TestClient c(s.port());
    return c.request("GET", path);
  };
  EXPECT_EQ(get("/health/live").status, 200);
  EXPECT_EQ(get("/health/ready").status, 503);
  EXPECT_EQ(Json::parse(get("/health/ready").body)["status"], "loading");
  EXPECT_EQ(get("/health").status, 503);
  EXPECT_EQ(Json::parse(get("/health").body)["error"]["message"], "Loading model");
  EXPECT_NE(get("/metrics").body.find("mlc_server_state{state=\"loading\"} 1"), std::string::npos);
  TestClient early(s.port());
  const TestReply r = early.post(kChatPath, kChat);
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(Json::parse(r.body)["error"]["code"], "loading");
  EXPECT_FALSE(r.header("retry-after").empty());
  s.load();
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_EQ(get("/health/ready").status, 200);
  s.server().stop();  // not ready, but still answering, for the drain delay
  EXPECT_TRUE(soon([&] { return get("/health/ready").status == 503; }));
  EXPECT_EQ(Json::parse(get("/health/ready").body)["status"], "draining");
  TestClient late(s.port());
  EXPECT_EQ(late.post(kChatPath, kChat).status, 200);
  s.server().stop();
  s.join();
  EXPECT_TRUE(s.returned());
}

TEST(StallWatch, CountsOnlyTimeWithWorkAndWithoutSteps) {
  StallWatch watch;
  const auto begin = StallWatch::Clock::now();
  engine::EngineStats s;
  EXPECT_EQ(watch.stalled("m", s, begin), 0s);
  EXPECT_EQ(watch.stalled("m", s, begin + 90s), 0s);  // idle
  s.running = 1;
  EXPECT_EQ(watch.stalled("m", s, begin + 100s), 10s);
  s.steps = 5;
  EXPECT_EQ(watch.stalled("m", s, begin + 130s), 0s);
  EXPECT_EQ(watch.stalled("m", s, begin + 150s), 20s);
  EXPECT_EQ(watch.stalled("other", s, begin + 150s), 0s);
}

TEST(HttpServer, CountsWhatItDoes) {
  ServerOptions o = test_options();
  o.vllm_metric_names = true;
  Running s(brief(), o);
  TestClient c(s.port());
  for (int i = 0; i < 3; ++i) ASSERT_EQ(c.post(kChatPath, kChat).status, 200);
  ASSERT_EQ(c.post(kChatPath, "{}").status, 400);
  ASSERT_EQ(c.request("GET", "/no/such/path/12345").status, 404);
  const std::string text = c.request("GET", "/metrics").body;
  const auto has = [&](const std::string& line) { return text.find("\n" + line + "\n") != std::string::npos; };
  EXPECT_TRUE(has("mlc_request_success_total{finished_reason=\"stop\",model_name=\"toy\"} 3")) << text;
  EXPECT_TRUE(has("mlc_request_failure_total{reason=\"invalid\"} 1"));
  EXPECT_TRUE(has("mlc_request_failure_total{reason=\"error\"} 0")) << "there before the first of them";
  EXPECT_TRUE(has("mlc_admission_rejections_total{reason=\"queue_full\"} 0"));
  EXPECT_TRUE(has("mlc_request_cancelled_total{model_name=\"toy\"} 0"));
  EXPECT_TRUE(has("mlc_generation_tokens_total{model_name=\"toy\"} 24"));
  EXPECT_TRUE(has("mlc_time_to_first_token_seconds_count{model_name=\"toy\"} 3"));
  EXPECT_TRUE(has("mlc_inter_token_latency_seconds_count{model_name=\"toy\"} 21"));
  EXPECT_TRUE(has("mlc_request_prompt_tokens_sum{model_name=\"toy\"} 57"));
  EXPECT_TRUE(has("vllm:e2e_request_latency_seconds_count{model_name=\"toy\"} 3"));
  EXPECT_TRUE(has("mlc_server_state{state=\"ready\"} 1"));
  EXPECT_TRUE(has("mlc_http_requests_total{code=\"200\",handler=\"/v1/chat/completions\",method=\"POST\"} 3"));
  EXPECT_TRUE(has("mlc_http_requests_total{code=\"404\",handler=\"other\",method=\"GET\"} 1"));
  EXPECT_EQ(text.find("12345"), std::string::npos) << "what clients send is no label";
  EXPECT_NE(text.find("\nprocess_resident_memory_bytes "), std::string::npos);
}

TEST(HttpServer, AnAnswerThatIsCutShortSaysSo) {
  ServerOptions o = test_options();
  o.drain_timeout = 100ms;
  Running s(endless(1ms), o);
  TestClient stream(s.port()), whole(s.port());
  stream.send(TestClient::compose("POST", kChatPath, kStream));
  whole.send(TestClient::compose("POST", kChatPath, kChat));
  ASSERT_TRUE(stream.receive_until("data: "));
  s.server().stop();
  const TestReply cut = stream.read_reply();
  EXPECT_EQ(Json::parse(cut.events().back())["error"]["code"], "server_overloaded");
  EXPECT_EQ(whole.read_reply().status, 503);
  s.join();
  EXPECT_TRUE(s.returned());
}

TEST(HttpServer, StopsAfterWhatIsInFlight) {
  auto engine = std::make_shared<ScriptedEngine>(ScriptedEngine::Options{.reply = std::string(100, 'y'), .step = 5ms});
  Running s(engine);
  TestClient stream(s.port()), idle(s.port());
  ASSERT_EQ(idle.request("GET", "/health").status, 200);
  stream.send(TestClient::compose("POST", kChatPath, kStream));
  ASSERT_TRUE(stream.receive_until("data: "));
  s.server().stop();
  EXPECT_TRUE(idle.at_end());
  const TestReply r = stream.read_reply();
  EXPECT_EQ(joined_text(r), std::string(100, 'y'));
  EXPECT_EQ(r.events().back(), "[DONE]");
  s.join();
  EXPECT_TRUE(s.returned());
  EXPECT_EQ(TestClient(s.port()).request("GET", "/health").status, 0);
}

TEST(HttpServer, TheSecondStopAndTheTimeLimitDropWhatIsInFlight) {
  for (const bool twice : {true, false}) {
    ServerOptions o = test_options();
    if (!twice) o.drain_timeout = 100ms;
    auto engine = endless(1ms);
    Running s(engine, o);
    TestClient c(s.port());
    c.send(TestClient::compose("POST", kChatPath, kStream));
    ASSERT_TRUE(c.receive_until("data: "));
    s.server().stop();
    if (twice) s.server().stop();
    s.join();
    EXPECT_TRUE(soon([&] { return engine->stats().running == 0; }));
  }
}

TEST(HttpServer, SignalsStopIt) {
  ServerOptions o = test_options();
  o.handle_signals = true;
  Running s(endless(1ms), o);
  TestClient c(s.port());
  c.send(TestClient::compose("POST", kChatPath, kStream));
  ASSERT_TRUE(c.receive_until("data: "));
  std::raise(SIGTERM);
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(s.returned());  // the stream is still in flight
  std::raise(SIGTERM);
  s.join();
  EXPECT_TRUE(s.returned());
}

TEST(HttpServer, ErrorsOfListening) {
  Running s(brief());
  ServerOptions o = test_options();
  o.port = s.port();
  const auto taken = HttpServer::create(o);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(taken.error().message.find("the port is in use"), std::string::npos) << taken.error().message;
  o.port = 0;
  o.host = "not an address";
  const auto nowhere = HttpServer::create(o);
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("not an address"), std::string::npos);
  const auto empty = HttpServer::create(test_options());
  ASSERT_TRUE(empty);
  EXPECT_FALSE((*empty)->set_models({}));
  o = test_options();
  o.api_key_file = "/nowhere/keys";
  const auto no_keys = HttpServer::create(o);
  ASSERT_FALSE(no_keys);
  EXPECT_NE(no_keys.error().message.find("/nowhere/keys"), std::string::npos);
}

}  // namespace
}  // namespace mlc::serve
