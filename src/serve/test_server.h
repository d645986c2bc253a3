// A server with a toy model on a free port, for the tests of serve/.
//
//   Running s(brief());                              // answers "Hi there"
//   TestClient c(s.port());
//   c.post(kChatPath, kChat);
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/log.h"
#include "protocol/scripted_engine.h"
#include "serve/http_server.h"
#include "serve/observed_engine.h"
#include "serve/test_client.h"

namespace mlc::serve {
using namespace std::chrono_literals;
using protocol::ScriptedEngine;

inline const std::string kChat = R"({"messages": [{"role": "user", "content": "x"}]})";
inline const std::string kStream = R"({"messages": [{"role": "user", "content": "x"}], "stream": true})";
inline const char* const kChatPath = "/v1/chat/completions";

inline ServerOptions test_options() {
  ServerOptions o;
  o.port = 0;
  o.version = "1.2.3";
  return o;
}

// A server on a free port, running until the end of the test.
class Running {
 public:
  Running(std::shared_ptr<engine::Engine> engine, const ServerOptions& options = test_options(), bool loaded = true) {
    log::set_level(log::Level::kWarn);  // no line per request
    auto created = HttpServer::create(options);
    MLC_CHECK(created.has_value(), "{}", created.error().message);
    server_ = std::move(*created);
    const auto listening = server_->listen();
    MLC_CHECK(listening.has_value(), "{}", listening.error().message);
    engine_ = std::move(engine);
    if (loaded) load();
    thread_ = std::thread([this] {
      EXPECT_TRUE(server_->run());
      returned_ = true;
    });
  }
  ~Running() {
    server_->stop();
    server_->stop();  // what a test left running is dropped
    join();
  }
  void load() {
    protocol::ModelList models;
    auto observed = observe(engine_, server_->metrics().model("toy"));
    models.add(std::make_shared<const protocol::ServedModel>(protocol::toy_model("toy", std::move(observed))));
    EXPECT_TRUE(server_->set_models(std::move(models)));
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  uint16_t port() const { return server_->port(); }
  HttpServer& server() { return *server_; }
  bool returned() const { return returned_; }

 private:
  std::unique_ptr<HttpServer> server_;
  std::shared_ptr<engine::Engine> engine_;
  std::thread thread_;
  std::atomic<bool> returned_{false};
};

inline std::shared_ptr<ScriptedEngine> endless(std::chrono::microseconds step) {
  return std::make_shared<ScriptedEngine>(
      ScriptedEngine::Options{.reply = "on and on ", .ends = false, .context = 1 << 30, .step = step});
}
inline std::shared_ptr<ScriptedEngine> brief() {
  return std::make_shared<ScriptedEngine>(ScriptedEngine::Options{.reply = "Hi there"});
}

template <typename Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 60'000; ++i) {  // a sanitizer's build on a busy machine comes there too
    if (condition()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

inline std::string joined_text(const TestReply& reply) {
  std::string text;
  for (const std::string& event : reply.events()) {
    if (event == "[DONE]") continue;
    const Json json = Json::parse(event);
    if (json.contains("error")) return "error";
    for (const Json& choice : json["choices"]) {
      text += choice.contains("delta") ? choice["delta"].value("content", "") : choice.value("text", "");
    }
  }
  return text;
}

}  // namespace mlc::serve
