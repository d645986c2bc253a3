#include "capi/engine.h"

#include <thread>
#include <utility>

#include "protocol/text_api.h"

namespace mlc::capi {

Engine::Engine(protocol::ServedModel model) {
  models_.add(std::make_shared<const protocol::ServedModel>(std::move(model)));
}

Engine::~Engine() { abort_all("The engine was destroyed."); }

std::optional<Failure> Engine::start(const std::string& kind, std::string_view body, const std::string& request_id,
                                     const mlc_on_ready* on_ready, std::shared_ptr<Request>* out) {
  auto request = std::make_shared<Request>(on_ready, totals_);
  {
    std::lock_guard lock(mutex_);
    std::erase_if(requests_, [](const auto& entry) { return entry.second.expired(); });
    requests_.emplace(request_id, request);
  }
  if (auto failure = request->start(models_, kind, body)) return failure;
  if (!request->id().empty()) {
    std::lock_guard lock(mutex_);
    requests_.emplace(request->id(), request);
  }
  *out = std::move(request);
  return std::nullopt;
}

void Engine::abort(const std::string& request_id) {
  std::vector<std::shared_ptr<Request>> found;  // aborted outside the lock: it waits for the engine's thread
  {
    std::lock_guard lock(mutex_);
    const auto [begin, end] = requests_.equal_range(request_id);
    for (auto it = begin; it != end; ++it) {
      if (auto request = it->second.lock()) found.push_back(std::move(request));
    }
  }
  for (const auto& request : found) request->abort("The request was aborted.");
}

void Engine::abort_all(const std::string& why) {
  std::vector<std::shared_ptr<Request>> found;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, weak] : requests_) {
      if (auto request = weak.lock()) found.push_back(std::move(request));
    }
    requests_.clear();
  }
  for (const auto& request : found) request->abort(why);
}

void Engine::reset() {
  abort_all("The engine was reset.");
  // Cancelling takes effect within one step.
  for (engine::EngineStats s = model().engine->stats(); s.running + s.waiting > 0; s = model().engine->stats()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  model().engine->reset_stats();
  totals_->reset();
}

std::string Engine::info() const {
  const protocol::ServedModel& m = model();
  return protocol::dump({{"model", m.id},
                         {"path", m.path},
                         {"context_window_size", m.engine->context_window_size()},
                         {"vocab_size", m.engine->vocab_size()},
                         {"hidden_size", m.engine->hidden_size()}});
}

std::string Engine::metrics() const { return protocol::dump(totals_->json(model().engine->stats())); }

protocol::ApiResult<OrderedJson> Engine::call(const std::string& name, std::string_view body) const {
  if (name == "tokenize") return protocol::tokenize(models_, body);
  if (name == "detokenize") return protocol::detokenize(models_, body);
  if (name == "apply_template") return protocol::apply_template(models_, body);
  if (name == "models") return models_.list_json();
  return protocol::bad_value("name", name, "\"tokenize\", \"detokenize\", \"apply_template\" or \"models\"");
}

}  // namespace mlc::capi
