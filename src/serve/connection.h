// One TCP connection: reads requests, sends answers, notices a client that leaves. Internal to serve/.
//
// Everything runs on the connection's strand; start(), drain() and abort() may be called from any thread.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "serve/routes.h"

namespace mlc::serve {

// What all connections of a server share.
struct ServerContext {
  ServerContext(const ServerOptions& o, protocol::ModelList models) : options(o), routes(options, std::move(models)) {}
  const ServerOptions options;
  const Routes routes;
  std::atomic<int> requests{0};       // generating now
  std::atomic<bool> draining{false};  // answers say "Connection: close"
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  virtual void drain() = 0;  // closes now if no request is being read or answered, else after the answer
  virtual void abort() = 0;  // closes now
};

// `socket`'s executor must be a strand. `on_closed` is called once, on that strand.
std::shared_ptr<Connection> make_connection(boost::asio::ip::tcp::socket socket, ServerContext& context,
                                            std::function<void(Connection*)> on_closed);

}  // namespace mlc::serve
