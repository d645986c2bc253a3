// sample_categorical: a random variable with a few possible values.
//
//   v0 = sample_categorical("column_blocks", [1, 2, 4], [0.25, 0.5, 0.25], 2)
//   l3, l4 = split(l1, [-1, v0])
//
// The probabilities say how the variable is drawn when it is sampled anew (sampling.h); what this schedule took, the
// decision, stands last. It changes nothing in the function. Refused: candidates that repeat, probabilities that are
// not as many as candidates or do not add up to 1, a decision that is no candidate.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct SampleCategorical {
  static constexpr const char* kName = "sample_categorical";
  std::string name;  // under which a tuning record keeps the decision
  std::vector<int64_t> candidates;
  std::vector<double> probabilities;  // one per candidate
  int64_t decision = 0;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.name, x.candidates, x.probabilities, x.decision);
  }
};
Result<Change> apply(const State& s, const SampleCategorical& x);

}  // namespace mlc::schedule
