// How many cores this process may really use: CPU affinity and the cgroup's quota (v1 and v2), which containers set and
// std::thread::hardware_concurrency does not see.
#pragma once

#include <string>

#include "base/cpu_placement.h"

namespace mlc {

// At least 1. A quota of 2.5 cores counts as 2: a thread more would be throttled while the others wait for it.
int usable_cpu_count();

// This machine and process, found out once: what is bound later does not change it.
const Placement& this_placement();

// $MLC_THREADS if it is set and positive, else one per physical performance core that the process may use.
int default_num_threads();

// The quota in cores of the calling process's cgroup and those above it, or 0 for none. `root` stands for "/" (tests).
double cgroup_cpu_quota(const std::string& root);

}  // namespace mlc
