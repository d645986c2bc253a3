// The OpenAI-compatible HTTP server: HTTP/1.1 with keep-alive, streamed answers as server-sent events.
//
//   ServerOptions options;  options.port = 0;
//   MLC_TRY(auto server, HttpServer::create(options, models));   // listens from here on; the address in use is an
//   error fmt::print("http://{}:{}\n", options.host, server->port()); MLC_TRY_VOID(server->run()); // until stop() or a
//   signal
//
// A client that goes away cancels its request in the engine. One that reads slowly never slows the others: its text
// waits here, joined to ever larger pieces.
#pragma once

#include <memory>

#include "protocol/served_model.h"
#include "serve/options.h"

namespace mlc::serve {

class HttpServer {
 public:
  // Errors: kUnavailable (port in use), kInvalidArgument (no such address, no models), kIo.
  static Result<std::unique_ptr<HttpServer>> create(const ServerOptions& options, protocol::ModelList models);
  ~HttpServer();  // run() must have returned

  uint16_t port() const;
  // Blocks. Returns when stop() was called and everything in flight is answered, or dropped after the drain timeout.
  Result<void> run();
  // Any thread: accepts no more, lets answers in flight finish. The second call drops them.
  void stop();

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlc::serve
