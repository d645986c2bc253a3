// What this machine can do at the moment, measured by kernels of our own compiler: the yardstick beside every speed.
//
//   MLC_TRY(MachineLimits l, measure_limits(target, pool));   // about a second
#pragma once

#include "base/result.h"
#include "base/thread_pool.h"
#include "target/target.h"

namespace mlc::tools {

struct MachineLimits {
  double read_gb_per_s = 0;  // reading memory, four address streams per thread with prefetch, all threads
  double int8_tops = 0;      // u8 x s8 multiply-adds (two operations each) from registers, all threads
};

Result<MachineLimits> measure_limits(const target::Target& target, ThreadPool& pool);

}  // namespace mlc::tools
