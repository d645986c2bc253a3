// What the server counts, in the Prometheus text format (names and types: docs/serving.md).
//
//   Metrics metrics({.version = "0.1.0"});
//   metrics.sequence_ended("llama", times);            // by ObservedEngine, on the engine's thread
//   metrics.http_request("POST", "/v1/models", 200, seconds, bytes);
//   reply(metrics.text(models, state));
//
// Any thread. Labels are bounded: models that are served, routes of the table, status codes; never what a client sends.
#pragma once

#include <memory>
#include <string>

#include "protocol/served_model.h"
#include "serve/server_state.h"

namespace mlc::serve {

// One sequence of a request, as the engine saw it. Seconds.
struct SequenceTimes {
  double queue = 0;    // submitted to first step
  double prefill = 0;  // first step to first token
  double decode = 0;   // first to last token
  double whole = 0;    // submitted to last token
  int64_t prompt_tokens = 0, output_tokens = 0, max_tokens = 0;
};

class Metrics {
 public:
  struct Options {
    std::string version;
    bool vllm_names = false;  // also under vLLM's names ("vllm:…"), for dashboards that have them
  };
  explicit Metrics(Options options);
  ~Metrics();

  // The histograms of one model, found once, so that counting a token takes no look-up. May outlive the Metrics.
  class Model;
  std::shared_ptr<Model> model(const std::string& name);

  // `reason`: stop, length, tool_calls.
  void request_succeeded(const std::string& model, const std::string& reason);
  void request_failed(const std::string& reason);    // invalid, error
  void request_rejected(const std::string& reason);  // queue_full, draining, loading
  void request_cancelled(const std::string& model);
  void http_request(const std::string& method, const std::string& route, int status, double seconds, size_t bytes);
  void model_loaded(const std::string& model, double seconds);

  std::string text(const protocol::ModelList& models, ServerState state) const;

 private:
  struct Families;
  const Options options_;
  const std::shared_ptr<Families> families_;
};

class Metrics::Model {
 public:
  virtual ~Model() = default;
  virtual void first_token(double seconds) = 0;
  virtual void next_tokens(double seconds, int64_t count) = 0;  // since the last event of the sequence
  virtual void sequence_ended(const SequenceTimes& times) = 0;
};

}  // namespace mlc::serve
