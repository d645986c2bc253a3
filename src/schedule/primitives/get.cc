#include "schedule/primitives/get.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

Result<Change> apply(const State& s, const GetBlock& x) {
  MLC_TRY_VOID([&]() -> Result<void> {
    auto at = s.find_block(x.name);
    if (!at) return std::move(at).error();
    return {};
  }());
  return Change{s.func.body, {x.name}, {}};
}

Result<Change> apply(const State& s, const GetLoops& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  Change c{s.func.body, {}, {}};
  for (const For* f : loops_above(at.path)) c.loops.push_back(f->var);
  return c;
}

}  // namespace mlc::schedule
