// Hands engine events from the engine thread to whoever answers the client.
//
//   auto queue = std::make_shared<OutputQueue>(n, [] { wake_me(); });
//   engine->submit(request, [queue, i](const engine::Output& o) { queue->push(i, o); });
//   for (auto& [choice, output] : queue->drain()) ...                        // consumer thread
//
// Events of one choice that were not taken yet are joined to one, so a slow client costs at most what its choices can
// generate within the context, and never slows the engine. `notify` runs on the engine thread, when the queue turns
// from empty to non-empty; it must only hand over.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/request.h"

namespace mlc::protocol {

class OutputQueue {
 public:
  OutputQueue(size_t num_choices, std::function<void()> notify) : slots_(num_choices), notify_(std::move(notify)) {}

  void push(size_t choice, const engine::Output& output);
  std::vector<std::pair<size_t, engine::Output>> drain();
  void close();  // later events are dropped; notify is not called again, nor running, once this returns

 private:
  struct Slot {
    bool filled = false;
    engine::Output output;
  };

  std::mutex mutex_;
  std::mutex notify_mutex_;  // held while notify_ runs
  std::vector<Slot> slots_;
  bool any_ = false;
  bool closed_ = false;
  std::function<void()> notify_;
};

}  // namespace mlc::protocol
