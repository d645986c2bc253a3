// set_scope: moves an intermediate to another kind of memory.
//
//   allocate B: f32[M] global      set_scope(b0, "B", "local")      ->      allocate B: f32[M] local
//
// The buffer must be written or read by the block and be no parameter.
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct SetScope {
  static constexpr const char* kName = "set_scope";
  BlockRef block;      // that reads or writes the buffer
  std::string buffer;  // its name
  ir::Scope scope;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.block, x.buffer, x.scope);
  }
};
Result<Change> apply(const State& s, const SetScope& x);

}  // namespace mlc::schedule
