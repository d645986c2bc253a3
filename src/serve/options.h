// How the server listens, whom it answers and where it draws limits.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mlc::serve {

// Cross-origin access from web pages; off while `origins` is empty.
struct CorsOptions {
  std::vector<std::string> origins;                                      // "https://chat.example", or "*" for all
  std::vector<std::string> methods = {"GET", "POST", "OPTIONS"};         // "*": these
  std::vector<std::string> headers = {"Authorization", "Content-Type"};  // "*": whatever is asked for
  bool credentials = false;
};

struct ServerOptions {
  std::string host = "127.0.0.1";        // an address or a name
  uint16_t port = 8000;                  // 0: any free one, see HttpServer::port()
  std::vector<std::string> api_keys;     // with these or those of the file, all but health asks for one of them
  std::string api_key_file;              // one per line; read again on SIGHUP
  std::string tls_certificate, tls_key;  // PEM files; empty: plain HTTP
  std::string version;                   // what GET /version answers
  bool vllm_metric_names = false;        // /metrics also under vLLM's names
  bool debug_endpoints = false;          // /debug/…
  CorsOptions cors;
  bool ui = true;  // the web page at / and /ui/

  int io_threads = 2;                    // they parse, tokenize and send; the engine has its own
  int64_t max_body_bytes = 8 << 20;      // else 413
  uint32_t max_header_bytes = 16 << 10;  // else 431
  int max_connections = 1024;            // open sockets; more are answered 503
  int max_requests = 256;                // generating at the same time, running or queued; more are answered 429

  std::chrono::milliseconds header_timeout{10'000};      // from a request's first byte to the end of its header
  std::chrono::milliseconds body_timeout{60'000};        // for the body
  std::chrono::milliseconds idle_timeout{75'000};        // between requests of one connection
  std::chrono::milliseconds write_timeout{60'000};       // a client that takes nothing for so long is dropped
  std::chrono::milliseconds keep_alive_comment{15'000};  // a stream without tokens sends a comment so often
  std::chrono::milliseconds drain_delay{0};              // after stop(): not ready, but still answering, for so long
  std::chrono::milliseconds drain_timeout{45'000};       // then answers in flight have so long
  std::chrono::milliseconds stall_limit{120'000};        // an engine that makes no step for so long is not alive

  bool handle_signals = false;  // SIGINT and SIGTERM stop gracefully, the second at once; SIGHUP reads keys
};

}  // namespace mlc::serve
