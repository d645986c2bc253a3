// The OpenAI-compatible HTTP server: HTTP/1.1 with keep-alive, streamed answers as server-sent events.
//
//   ServerOptions options;  options.port = 0;
//   MLC_TRY(auto server, HttpServer::create(options));  // the address is taken: one in use is an error
//   MLC_TRY_VOID(server->listen());                     // clients connect from here on, and are told to wait
//   std::thread t([&] { server->run(); });              // until stop() or a signal
//   MLC_TRY_VOID(server->set_models(models));           // from here on they are served
//
// A client that goes away cancels its request in the engine. One that reads slowly never slows the others: its text
// waits here, joined to ever larger pieces.
#pragma once

#include <memory>

#include "protocol/served_model.h"
#include "serve/metrics.h"
#include "serve/options.h"

namespace mlc::serve {

class HttpServer {
 public:
  // Takes the address, so that a port in use shows before a model is loaded for it.
  // Errors: kUnavailable (port in use), kInvalidArgument (no such address), kIo.
  static Result<std::unique_ptr<HttpServer>> create(const ServerOptions& options);
  ~HttpServer();  // run() must have returned

  uint16_t port() const;
  // Once. Connections are accepted by the kernel from here on and answered in run(). Errors: kUnavailable, kIo.
  Result<void> listen();
  // Any thread, once: the server is ready. Errors: kInvalidArgument (no models).
  Result<void> set_models(protocol::ModelList models);
  // Where to count the tokens of a model, before it is set (observed_engine.h).
  Metrics& metrics();
  // After listen(). Blocks. Returns when stop() was called and everything in flight is answered, or ended with an error
  // after the drain timeout.
  Result<void> run();
  // Any thread: not ready any more; after the drain delay accepts no more and lets answers in flight finish. The second
  // call drops them.
  void stop();

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlc::serve
