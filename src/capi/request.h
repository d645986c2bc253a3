// One request of the C library: the engine's thread rings, whoever reads waits for the bell and takes what is ready.
//
//   auto request = std::make_shared<Request>(on_ready, totals);
//   MLC_TRY(…, request->start(models, "completions", body));
//   std::string json;
//   while (request->next(-1, &json).status == MLC_OK) …
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "capi/source.h"
#include "capi/status.h"
#include "capi/totals.h"

namespace mlc::capi {

class Request {
 public:
  Request(const mlc_on_ready* on_ready, std::shared_ptr<Totals> totals);

  std::optional<Failure> start(const protocol::ModelList& models, const std::string& kind, std::string_view body);
  const std::string& id() const { return id_; }  // of its answers; may be empty
  // MLC_OK and the next text, MLC_END, MLC_TIMEOUT, or what went wrong. timeout_ms < 0: no limit.
  Failure next(int64_t timeout_ms, std::string* json);
  // From then on next() answers MLC_CANCELLED. What the engine holds of it is given back.
  void abort(const std::string& why);
  // Of logits and hidden states; empty before next() gave their JSON.
  Matrix matrix() const;
  void forget_listener();  // on_ready is not called after this returns

 private:
  struct Bell {
    std::mutex mutex;
    std::condition_variable condition;
    bool rung = false;
  };
  void wake();
  bool wait(std::optional<std::chrono::steady_clock::time_point> deadline);
  std::optional<Failure> take(std::string* json);  // nullopt: nothing yet
  void collect();

  const std::shared_ptr<Totals> totals_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::mutex listener_mutex_;  // held while on_ready runs
  mlc_on_ready on_ready_{};
  Bell bell_;
  mutable std::mutex mutex_;  // the rest
  std::unique_ptr<Source> source_;
  std::deque<std::string> ready_;
  Matrix matrix_;
  std::string id_;
  std::optional<Failure> end_;  // what next() answers once ready_ is empty
};

}  // namespace mlc::capi
