#include "schedule/primitives/sample_categorical.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace mlc::schedule {

Result<Change> apply(const State& s, const SampleCategorical& x) {
  if (x.name.empty()) return error("the random variable has no name");
  if (std::set<int64_t>(x.candidates.begin(), x.candidates.end()).size() != x.candidates.size()) {
    return error("{}: a candidate is given twice", x.name);
  }
  if (x.probabilities.size() != x.candidates.size()) {
    return error("{}: {} probabilities for {} candidates", x.name, x.probabilities.size(), x.candidates.size());
  }
  double sum = 0;
  for (double p : x.probabilities) {
    if (!(p >= 0 && p <= 1)) return error("{}: {} is no probability; expected 0 to 1", x.name, p);
    sum += p;
  }
  if (std::abs(sum - 1) > 1e-6) return error("{}: the probabilities add up to {}, expected 1", x.name, sum);
  if (std::find(x.candidates.begin(), x.candidates.end(), x.decision) == x.candidates.end()) {
    return error("{}: the decision {} is no candidate", x.name, x.decision);
  }
  return Change{s.func.body, {}, {}, {x.decision}};
}

}  // namespace mlc::schedule
