#include "capi/request.h"

#include <utility>

namespace mlc::capi {

Request::Request(const mlc_on_ready* on_ready, std::shared_ptr<Totals> totals) : totals_(std::move(totals)) {
  if (on_ready != nullptr) on_ready_ = *on_ready;
}

std::optional<Failure> Request::start(const protocol::ModelList& models, const std::string& kind,
                                      std::string_view body) {
  auto source = start_source(models, kind, body, [this] { wake(); });
  if (!source) return Failure::of(source.error());
  {
    std::lock_guard lock(mutex_);
    id_ = (*source)->id();
    if (!end_) source_ = std::move(*source);  // else it was aborted meanwhile
  }
  wake();  // what rang before there was a source to ask
  return std::nullopt;
}

void Request::wake() {
  {
    std::lock_guard lock(bell_.mutex);
    bell_.rung = true;
  }
  bell_.condition.notify_all();
  std::lock_guard lock(listener_mutex_);
  if (on_ready_.call != nullptr) on_ready_.call(on_ready_.context, on_ready_.tag);
}

void Request::forget_listener() {
  std::lock_guard lock(listener_mutex_);
  on_ready_ = {};
}

bool Request::wait(std::optional<std::chrono::steady_clock::time_point> deadline) {
  std::unique_lock lock(bell_.mutex);
  const auto rung = [this] { return bell_.rung; };
  if (!deadline) {
    bell_.condition.wait(lock, rung);
  } else if (!bell_.condition.wait_until(lock, *deadline, rung)) {
    return false;
  }
  bell_.rung = false;
  return true;
}

Failure Request::next(int64_t timeout_ms, std::string* json) {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (timeout_ms >= 0) deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (auto taken = take(json)) return *taken;
    }
    if (!wait(deadline)) return {MLC_TIMEOUT};
  }
}

std::optional<Failure> Request::take(std::string* json) {
  if (ready_.empty() && source_) collect();
  if (!ready_.empty()) {
    *json = std::move(ready_.front());
    ready_.pop_front();
    return Failure{MLC_OK};
  }
  return end_;
}

void Request::collect() {
  source_->poll();
  for (std::string& json : source_->take()) ready_.push_back(std::move(json));
  if (!source_->finished()) return;
  if (source_->failed()) {
    end_ = Failure::of(*source_->failed());
  } else {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun_;
    totals_->finished(source_->facts(), took.count());
    matrix_ = source_->matrix();
    end_ = Failure{MLC_END};
  }
  source_.reset();
}

void Request::abort(const std::string& why) {
  std::unique_ptr<Source> dropped;  // its end waits for wake(), which may be running: not under the lock
  {
    std::lock_guard lock(mutex_);
    if (end_) return;  // it has ended by itself
    end_ = Failure::cancelled(why);
    ready_.clear();
    dropped = std::move(source_);
  }
  dropped.reset();
  wake();
}

Matrix Request::matrix() const {
  std::lock_guard lock(mutex_);
  return matrix_;
}

}  // namespace mlc::capi
