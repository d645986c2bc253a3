// Where the time of a model's steps goes, per kernel call; layers are added up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mlc::runtime {

struct CallProfile {
  std::string name;  // "layers.*.mlp.down_proj"
  int64_t calls = 0;
  int64_t time_ns = 0;
  int64_t param_bytes = 0;  // read, over all calls
  int64_t ops = 0;          // multiply-adds x 2, over all calls
};

// "layers.12.x" -> "layers.*.x".
std::string without_layer(const std::string& name);

// A table, the slowest first: time, share, GB/s, GOP/s.
std::string print_profile(std::vector<CallProfile> calls);

}  // namespace mlc::runtime
