#include "serve/http_server.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <thread>

#include "base/log.h"
#include "serve/connection.h"

namespace mlc::serve {
namespace {

namespace net = boost::asio;
using boost::system::error_code;
using net::ip::tcp;

constexpr std::chrono::seconds kFarewell{2};  // for an answer that is cut short to reach its client

Error listen_error(const ServerOptions& o, const error_code& ec) {
  if (ec == net::error::address_in_use) {
    return error(ErrorCode::kUnavailable,
                 "cannot listen on {}:{}: the port is in use; stop the other program, or choose another port "
                 "(0: any free one)",
                 o.host, o.port);
  }
  return error(ErrorCode::kIo, "cannot listen on {}:{}: {}", o.host, o.port, ec.message());
}

#ifdef SIGHUP
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr bool reloads(int signal) { return signal == SIGHUP; }
#else  // Windows: closing the console and Ctrl-Break are SIGBREAK
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGBREAK};
constexpr bool reloads(int) { return false; }
#endif

Result<tcp::acceptor> bind(net::io_context& io, const ServerOptions& o) {
  error_code ec;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(o.host, std::to_string(o.port), tcp::resolver::passive, ec);
  if (ec || found.empty()) return error("cannot listen on \"{}\": it is no address of this machine", o.host);
  // A name such as localhost may stand for several addresses; clients expect the IPv4 one.
  const auto v4 =
      std::find_if(found.begin(), found.end(), [](const auto& e) { return e.endpoint().address().is_v4(); });
  const tcp::endpoint endpoint = (v4 == found.end() ? found.begin() : v4)->endpoint();
  tcp::acceptor acceptor(net::make_strand(io));
  acceptor.open(endpoint.protocol(), ec);
#ifdef _WIN32
  // There SO_REUSEADDR would let a second server take the port of one that is listening.
  using ExclusiveAddress = net::detail::socket_option::boolean<SOL_SOCKET, SO_EXCLUSIVEADDRUSE>;
  if (!ec) acceptor.set_option(ExclusiveAddress(true), ec);
#else
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
#endif
  if (!ec) acceptor.bind(endpoint, ec);
  if (ec) return listen_error(o, ec);
  return acceptor;
}

}  // namespace

// All state below is touched on the acceptor's strand only.
class HttpServer::Impl {
 public:
  Impl(const ServerOptions& options, std::shared_ptr<ApiKeys> keys, std::unique_ptr<TraceExporter> traces)
      : options_(options),
        context_(options, std::move(keys), std::move(traces)),
        io_(std::max(1, options.io_threads)) {}

  Result<void> bind_now() {
    if (!options_.tls_certificate.empty()) {
      MLC_TRY_VOID(load_tls());
    }
    MLC_TRY(tcp::acceptor acceptor, bind(io_, options_));
    acceptor_.emplace(std::move(acceptor));
    drain_timer_.emplace(acceptor_->get_executor());
    retry_timer_.emplace(acceptor_->get_executor());
    signals_.emplace(acceptor_->get_executor());
    port_ = acceptor_->local_endpoint().port();
    return {};
  }

  uint16_t port() const { return port_; }

  Result<void> listen() {
    error_code ec;
    acceptor_->listen(net::socket_base::max_listen_connections, ec);
    if (ec) return listen_error(options_, ec);
    return {};
  }

  Result<void> set_models(protocol::ModelList models) {
    if (models.all().empty()) return error("there is no model to serve");
    context_.set_models(std::move(models));
    ServerState loading = ServerState::kLoading;
    context_.state.compare_exchange_strong(loading, ServerState::kReady);  // or draining already
    return {};
  }
  Metrics& metrics() { return context_.metrics; }

  Result<void> run() {
    if (options_.handle_signals) {
      error_code ec;
      for (const int signal : kSignals) {
        if (!ec) signals_->add(signal, ec);
      }
      if (ec) return error(ErrorCode::kIo, "cannot handle signals: {}", ec.message());
      wait_for_signal();
    }
    net::post(acceptor_->get_executor(), [this] { accept(); });
    std::vector<std::thread> others;
    for (int i = 1; i < options_.io_threads; ++i) others.emplace_back([this] { io_.run(); });
    io_.run();
    for (std::thread& t : others) t.join();
    return {};
  }

  void stop() {
    net::post(acceptor_->get_executor(), [this] { stop_here(); });
  }

 private:
  Result<void> load_tls() {
    tls_.emplace(net::ssl::context::tls_server);
    tls_->set_options(net::ssl::context::default_workarounds | net::ssl::context::no_sslv2 |
                      net::ssl::context::no_sslv3 | net::ssl::context::no_tlsv1 | net::ssl::context::no_tlsv1_1);
    error_code ec;
    tls_->use_certificate_chain_file(options_.tls_certificate, ec);
    if (ec) return error("cannot use {} as a certificate (PEM): {}", options_.tls_certificate, ec.message());
    tls_->use_private_key_file(options_.tls_key, net::ssl::context::pem, ec);
    if (ec)
      return error("cannot use {} as the key of {} (PEM): {}", options_.tls_key, options_.tls_certificate,
                   ec.message());
    return {};
  }

  void wait_for_signal() {
    signals_->async_wait([this](error_code ec, int number) {
      if (ec) return;
      if (reloads(number)) {
        reload_keys();
        return wait_for_signal();
      }
      // Loading cannot be interrupted, and nothing is in flight. Files in the making have temporary names.
      if (context_.state == ServerState::kLoading) std::_Exit(128 + number);
      const bool again = context_.state == ServerState::kDraining;
      log::info("signal {}: {}", number, again ? "dropping what is in flight" : "finishing what is in flight");
      stop_here();
      wait_for_signal();
      finish_if_empty();
    });
  }

  void reload_keys() {
    const auto read = context_.keys->reload();
    if (read) {
      log::info("read the keys again");
    } else {
      log::error("the keys stay as they were: {}", read.error().message);
    }
  }

  void accept() {
    if (context_.refusing) return;
    acceptor_->async_accept(net::make_strand(io_), [this](error_code ec, tcp::socket socket) {
      if (context_.refusing) return;
      if (ec) {
        log::warn("cannot accept a connection: {}", ec.message());  // most likely too many open files: wait a little
        retry_timer_->expires_after(std::chrono::milliseconds(100));
        return retry_timer_->async_wait([this](error_code) { accept(); });
      }
      take(std::move(socket));
      accept();
    });
  }

  void take(tcp::socket socket) {
    if (static_cast<int>(connections_.size()) >= options_.max_connections) return refuse(std::move(socket));
    auto connection =
        make_connection(std::move(socket), tls_ ? &*tls_ : nullptr, context_, routes_, [this](Connection* closed) {
          net::post(acceptor_->get_executor(), [this, closed] {
            connections_.erase(closed);
            finish_if_empty();
          });
        });
    connections_.emplace(connection.get(), connection);
    connection->start();
  }

  // One write into an empty socket buffer: it fits, or the client is none to care for.
  static void refuse(tcp::socket socket) {
    static constexpr std::string_view kBusy =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(net::buffer(kBusy), ignored);
  }

  void stop_here() {
    if (context_.state.exchange(ServerState::kDraining) == ServerState::kDraining) {
      if (!context_.refusing) refuse_more();
      return abort_all();
    }
    if (options_.drain_delay.count() == 0) return refuse_more();
    drain_timer_->expires_after(options_.drain_delay);
    drain_timer_->async_wait([this](error_code ec) {
      if (!ec) refuse_more();
    });
  }

  void refuse_more() {
    context_.refusing = true;
    error_code ignored;
    acceptor_->close(ignored);
    retry_timer_->cancel();
    for (auto& [_, connection] : connections_) connection->drain();
    drain_timer_->expires_after(options_.drain_timeout);
    drain_timer_->async_wait([this](error_code ec) {
      if (!ec) cut_short_all();
    });
    finish_if_empty();
  }

  // The clients are told that their answers end here, and have a moment to read it.
  void cut_short_all() {
    for (auto& [_, connection] : connections_) connection->cut_short();
    drain_timer_->expires_after(kFarewell);
    drain_timer_->async_wait([this](error_code ec) {
      if (!ec) abort_all();
    });
  }

  void abort_all() {
    for (auto& [_, connection] : connections_) connection->abort();
  }

  // Without connections and timers the io threads run out of work, and run() returns.
  void finish_if_empty() {
    if (!context_.refusing || !connections_.empty()) return;
    drain_timer_->cancel();
    error_code ignored;
    signals_->cancel(ignored);
  }

  const ServerOptions options_;
  ServerContext context_;
  const Routes routes_{context_};
  std::optional<net::ssl::context> tls_;
  net::io_context io_;
  uint16_t port_ = 0;
  std::optional<tcp::acceptor> acceptor_;
  std::optional<net::steady_timer> drain_timer_;
  std::optional<net::steady_timer> retry_timer_;
  std::optional<net::signal_set> signals_;
  std::map<Connection*, std::shared_ptr<Connection>> connections_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::create(const ServerOptions& options) {
  MLC_TRY(auto keys, ApiKeys::load(options.api_keys, options.api_key_file));
  MLC_TRY(auto traces, TraceExporter::from_environment());
  auto impl = std::make_unique<Impl>(options, std::move(keys), std::move(traces));
  MLC_TRY_VOID(impl->bind_now());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->port(); }
Result<void> HttpServer::listen() { return impl_->listen(); }
Result<void> HttpServer::set_models(protocol::ModelList models) { return impl_->set_models(std::move(models)); }
Metrics& HttpServer::metrics() { return impl_->metrics(); }
Result<void> HttpServer::run() { return impl_->run(); }
void HttpServer::stop() { impl_->stop(); }

}  // namespace mlc::serve
