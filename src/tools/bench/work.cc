#include "tools/bench/work.h"

#include <algorithm>

namespace mlc::tools::bench {

using runtime::Work;

ModelWork::ModelWork(const artifact::Artifact& a) : facts_(a.facts) {
  for (const artifact::KernelCall& call : a.plan.calls) {
    (call.rows == artifact::Symbol::kNumLogitRows ? logit_ : token_) += runtime::call_work(a, call, 1);
  }
}

Work ModelWork::step(double rows, double logit_rows, double pairs, double cached) const {
  Work w = token_.times(rows);
  w.weight_bytes = token_.weight_bytes;
  if (logit_rows > 0) {
    Work logits = logit_.times(logit_rows);
    logits.weight_bytes = logit_.weight_bytes;
    w += logits;
  }
  w += runtime::attention_work(facts_, pairs, cached).times(static_cast<double>(facts_.num_layers));
  return w;
}

Work ModelWork::of(const Phase& p) const {
  Work total;
  if (p.kind == PhaseKind::kPrefill) {
    for (int64_t done = 0; done < p.tokens; done += facts_.prefill_chunk_size) {
      const int64_t rows = std::min(facts_.prefill_chunk_size, p.tokens - done);
      const auto n = static_cast<double>(rows), start = static_cast<double>(p.depth + done);
      total += step(n, done + rows == p.tokens ? 1 : 0, n * start + n * (n + 1) / 2, start + n);
    }
    return total;
  }
  // The context grows by a token per step; its mean counts.
  const auto steps = static_cast<double>(p.tokens), sequences = static_cast<double>(p.sequences);
  const double context = sequences * (static_cast<double>(p.depth) + (steps + 1) / 2);
  return step(sequences, sequences, context, context).times(steps);
}

}  // namespace mlc::tools::bench
