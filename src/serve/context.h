// What all connections of a server share. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "protocol/served_model.h"
#include "serve/api_keys.h"
#include "serve/metrics.h"
#include "serve/options.h"
#include "serve/server_state.h"
#include "serve/trace_exporter.h"

namespace mlc::serve {

class ServerContext {
 public:
  using Models = std::shared_ptr<const protocol::ModelList>;

  // `t` may be null.
  ServerContext(const ServerOptions& o, std::shared_ptr<ApiKeys> k, std::unique_ptr<TraceExporter> t)
      : options(o),
        keys(std::move(k)),
        traces(std::move(t)),
        metrics({.version = o.version, .vllm_names = o.vllm_metric_names}) {}

  const ServerOptions options;
  const std::shared_ptr<ApiKeys> keys;
  const std::unique_ptr<TraceExporter> traces;
  mutable Metrics metrics;
  std::atomic<ServerState> state{ServerState::kLoading};
  std::atomic<bool> refusing{false};      // no new requests; connections close after what they are at
  std::atomic<int> requests{0};           // generating now
  std::atomic<double> request_seconds{};  // moving average of how long one takes

  Models models() const {
    std::lock_guard lock(mutex_);
    return models_;
  }
  void set_models(protocol::ModelList models) {
    std::lock_guard lock(mutex_);
    models_ = std::make_shared<const protocol::ModelList>(std::move(models));
  }

 private:
  mutable std::mutex mutex_;
  Models models_ = std::make_shared<const protocol::ModelList>();
};

}  // namespace mlc::serve
