// Naming the things that other instructions work on. They change nothing.
//
//   b0 = block("C")            the block of this name
//   l0, l1 = loops(b0)         the loops around it in its scope, outermost first
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct GetBlock {
  static constexpr const char* kName = "block";
  std::string name;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.name);
  }
};
Result<Change> apply(const State& s, const GetBlock& x);

struct GetLoops {
  static constexpr const char* kName = "loops";
  BlockRef block;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block);
  }
};
Result<Change> apply(const State& s, const GetLoops& x);

}  // namespace mlc::schedule
