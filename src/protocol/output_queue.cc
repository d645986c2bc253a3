#include "protocol/output_queue.h"

namespace mlc::protocol {
namespace {

template <typename T>
void append(std::vector<T>* to, const std::vector<T>& from) {
  to->insert(to->end(), from.begin(), from.end());
}

void join(engine::Output* to, const engine::Output& from) {
  append(&to->tokens, from.tokens);
  append(&to->logprobs, from.logprobs);
  append(&to->prompt_logprobs, from.prompt_logprobs);
  append(&to->embedding, from.embedding);
  if (from.rows) to->rows = from.rows;
  to->finish_reason = from.finish_reason;
  to->error = from.error;
  to->cached_prompt_tokens = from.cached_prompt_tokens;
  to->prompt_tokens = from.prompt_tokens;
  to->completion_tokens = from.completion_tokens;
  to->prefill_s = from.prefill_s;
  to->decode_s = from.decode_s;
}

}  // namespace

void OutputQueue::push(size_t choice, const engine::Output& output) {
  std::lock_guard notifying(notify_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    Slot& slot = slots_.at(choice);
    if (slot.filled) {
      join(&slot.output, output);
    } else {
      slot.output = output;
      slot.filled = true;
    }
    if (std::exchange(any_, true)) return;
  }
  notify_();
}

std::vector<std::pair<size_t, engine::Output>> OutputQueue::drain() {
  std::lock_guard lock(mutex_);
  std::vector<std::pair<size_t, engine::Output>> out;
  if (!std::exchange(any_, false)) return out;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!std::exchange(slots_[i].filled, false)) continue;
    out.emplace_back(i, std::move(slots_[i].output));
    slots_[i].output = {};
  }
  return out;
}

void OutputQueue::close() {
  // What notify holds (a connection's executor) must not outlive the consumer: the engine may keep the queue longer.
  std::function<void()> dropped;
  std::lock_guard notifying(notify_mutex_);
  std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(notify_);
}

}  // namespace mlc::protocol
