// Where the time of a model's steps goes, per kernel call; layers are added up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/call_work.h"

namespace mlc::runtime {

struct CallProfile {
  std::string name;  // "layers.*.mlp.down_proj"
  int64_t calls = 0;
  int64_t time_ns = 0;
  Work work = {};            // over all calls
  double bound_seconds = 0;  // over all calls: each call's own bound, whichever limit that is; 0: limits unknown
};

// "layers.12.x" -> "layers.*.x".
std::string without_layer(const std::string& name);

// A table, the slowest first: time, share of the time, megabytes of weights and context, of activations, millions of
// operations (each per call), GB/s from memory, GOP/s, and how close to the machine's limits.
std::string print_profile(std::vector<CallProfile> calls);

}  // namespace mlc::runtime
