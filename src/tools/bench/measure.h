// The loop of a measurement: machine limits, our phases and the peers take turns, so that a slow minute hits all alike.
#pragma once

#include "tools/bench/report.h"

namespace mlc::tools::bench {

// Compiles and loads the model first. Progress goes to standard error.
Result<Report> measure(const Spec& spec);

}  // namespace mlc::tools::bench
