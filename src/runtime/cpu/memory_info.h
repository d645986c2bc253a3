// How much memory this process may really use: the machine's and its cgroup's (v1 and v2).
#pragma once

#include <string>

#include "runtime/device.h"

namespace mlc::runtime {

// `root` stands for "/" (tests).
MemoryInfo read_memory_info(const std::string& root);

}  // namespace mlc::runtime
