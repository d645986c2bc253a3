// How much a phase reads and computes, as the compiled model does it.
#pragma once

#include "runtime/call_work.h"
#include "tools/bench/spec.h"

namespace mlc::tools::bench {

class ModelWork {
 public:
  explicit ModelWork(const artifact::Artifact& artifact);

  // Of the whole phase: every step that it takes, with logits where the engine computes them.
  runtime::Work of(const Phase& phase) const;
  // Read by a step with logits.
  int64_t weight_bytes() const { return static_cast<int64_t>(token_.weight_bytes + logit_.weight_bytes); }

 private:
  // A step: `rows` token rows and `logit_rows` rows of logits, `pairs` (row, context token) combinations, `cached`
  // context tokens read.
  runtime::Work step(double rows, double logit_rows, double pairs, double cached) const;

  artifact::ModelFacts facts_;
  runtime::Work token_, logit_;  // of one row
};

}  // namespace mlc::tools::bench
