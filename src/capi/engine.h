// One engine of the C library: the loaded model, the requests that run, and what they add up to.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "capi/request.h"

namespace mlc::capi {

class Engine {
 public:
  explicit Engine(protocol::ServedModel model);
  ~Engine();  // aborts what runs and joins the engine's threads, whoever still holds requests
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  std::optional<Failure> start(const std::string& kind, std::string_view body, const std::string& request_id,
                               const mlc_on_ready* on_ready, std::shared_ptr<Request>* out);
  void abort(const std::string& request_id);
  void reset();
  std::string info() const;
  std::string metrics() const;
  protocol::ApiResult<OrderedJson> call(const std::string& name, std::string_view body) const;

 private:
  void abort_all(const std::string& why);
  const protocol::ServedModel& model() const { return *models_.all().front(); }

  protocol::ModelList models_;
  const std::shared_ptr<Totals> totals_ = std::make_shared<Totals>();
  std::mutex mutex_;
  std::multimap<std::string, std::weak_ptr<Request>> requests_;  // by the caller's id, and by the answers'
};

}  // namespace mlc::capi
