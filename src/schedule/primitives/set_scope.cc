#include "schedule/primitives/set_scope.h"

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

Result<Change> apply(const State& s, const SetScope& x) {
  MLC_TRY(BlockAt at, s.find(x.block));
  MLC_TRY(Buffer b, buffer_named(at, x.buffer, true, true));
  if (is_parameter(s.func, b)) {
    return error("{}: {} is a parameter of the function; only intermediates can move to another memory", at.label,
                 b->name);
  }
  if (b->scope == x.scope) return Change{s.func.body, {}, {}};
  return Change{swap_buffer(s.func.body, b, derived_buffer(b, b->name, b->shape, x.scope)), {}, {}};
}

}  // namespace mlc::schedule
