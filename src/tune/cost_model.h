// A learned guess of how good a schedule is, from its features: gradient-boosted trees.
//
//   auto model = load_xgboost();                 // an error says that the library is not installed
//   MLC_TRY_VOID((*model)->fit(features, gains));
//   MLC_TRY(auto guesses, (*model)->predict(others));     // larger is better
//
// The trees are XGBoost's (Chen and Guestrin 2016), whose C library is looked for when tuning begins, so that nothing
// else depends on it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::tune {

class CostModel {
 public:
  virtual ~CostModel() = default;
  // One row of features per value; all rows as long as the first. Replaces what was learned before.
  virtual Result<void> fit(const std::vector<std::vector<float>>& features, const std::vector<float>& values) = 0;
  // After a successful fit.
  virtual Result<std::vector<float>> predict(const std::vector<std::vector<float>>& features) const = 0;
};

// `library`: for tests; empty: libxgboost as the system names it.
Result<std::unique_ptr<CostModel>> load_xgboost(const std::string& library = "");

}  // namespace mlc::tune
