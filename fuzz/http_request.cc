#include <spdlog/spdlog.h>

#include <atomic>
#include <thread>

#include "fuzz/targets.h"
#include "protocol/scripted_engine.h"
#include "serve/http_server.h"
#include "serve/test_client.h"

namespace mlc::fuzz {
namespace {

using protocol::ScriptedEngine;

// Lives as long as the program.
class Server {
 public:
  Server() {
    spdlog::set_level(spdlog::level::off);
    serve::ServerOptions options;
    options.port = 0;
    // Long enough for a machine that is busy with something else: the input ends by its end, not by time.
    options.header_timeout = options.body_timeout = std::chrono::seconds(5);
    options.debug_endpoints = true;
    auto created = serve::HttpServer::create(options);
    MLC_CHECK(created.has_value(), "{}", created.error().message);
    server_ = std::move(*created);
    MLC_CHECK(server_->listen().has_value(), "cannot listen");
    protocol::ModelList models;
    auto engine = std::make_shared<ScriptedEngine>(ScriptedEngine::Options{.reply = "Hi"});
    models.add(std::make_shared<const protocol::ServedModel>(protocol::toy_model("toy", std::move(engine))));
    MLC_CHECK(server_->set_models(std::move(models)).has_value(), "no models");
    thread_ = std::thread([this] { (void)server_->run(); });
  }
  ~Server() {
    server_->stop();
    server_->stop();
    thread_.join();
  }
  uint16_t port() const { return server_->port(); }

 private:
  std::unique_ptr<serve::HttpServer> server_;
  std::thread thread_;
};

}  // namespace

void http_request(std::string_view input) {
  static Server server;
  {
    serve::TestClient client(server.port());
    client.send(std::string(input));
    client.finish_sending();
    while (client.receive()) {
      client.input().clear();
    }
  }
  // Whatever it was, the next client is served.
  serve::TestClient next(server.port());
  const serve::TestReply reply = next.request("GET", "/health/live");
  MLC_CHECK(reply.status == 200, "the server answers {} after the input", reply.status);
}

}  // namespace mlc::fuzz
