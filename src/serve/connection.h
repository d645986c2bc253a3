// One TCP connection: reads requests, sends answers, notices a client that leaves. Internal to serve/.
//
// Everything runs on the connection's strand; start(), drain() and abort() may be called from any thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>

#include "serve/routes.h"

namespace mlc::serve {

class Connection {
 public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  virtual void drain() = 0;      // closes now if no request is being read or answered, else after the answer
  virtual void cut_short() = 0;  // ends the answer with an error, then closes
  virtual void abort() = 0;      // closes now
};

// `socket`'s executor must be a strand. `tls`: null for plain HTTP. `on_closed` is called once, on that strand.
std::shared_ptr<Connection> make_connection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls,
                                            ServerContext& context, const Routes& routes,
                                            std::function<void(Connection*)> on_closed);

}  // namespace mlc::serve
