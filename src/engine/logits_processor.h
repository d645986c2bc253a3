// Changes to a request's logits before sampling: the point where penalties attach, and later grammars.
//
//   auto processors = make_logits_processors(request);     // empty if the request needs none
//   for (auto& p : processors) p->apply(logits);           // [vocab] f32, changed in place
//   for (auto& p : processors) p->accept(token);           // the token that was chosen
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/request.h"

namespace mlc::engine {

class LogitsProcessor {
 public:
  virtual ~LogitsProcessor() = default;
  virtual void apply(std::span<float> logits) = 0;
  virtual void accept(int32_t token) = 0;
};

// In the order that engine/request.h states; last, what min_tokens forbids.
std::vector<std::unique_ptr<LogitsProcessor>> make_logits_processors(const Request& request);

}  // namespace mlc::engine
