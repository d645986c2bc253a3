// What an engine of the C library has done, as MLC LLM's `metrics()` tells it.
#pragma once

#include <mutex>
#include <optional>

#include "engine/engine.h"
#include "protocol/answer.h"

namespace mlc::capi {

// What the engine's own statistics do not hold: whole requests. Any thread.
class Totals {
 public:
  void finished(const protocol::AnswerFacts& facts, double seconds);
  void reset();
  OrderedJson json(const engine::EngineStats& stats) const;

 private:
  struct Last {
    protocol::AnswerFacts facts;
    double seconds = 0;
  };
  mutable std::mutex mutex_;
  int64_t prompt_tokens_ = 0, completion_tokens_ = 0, requests_ = 0;
  std::optional<Last> last_;
};

}  // namespace mlc::capi
