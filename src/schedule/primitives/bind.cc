#include "schedule/primitives/bind.h"

#include <algorithm>
#include <array>

#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

Result<Change> apply(const State& s, const Bind& x) {
  static constexpr std::array kAxes = {"blockIdx.x",  "blockIdx.y",  "blockIdx.z",
                                       "threadIdx.x", "threadIdx.y", "threadIdx.z"};
  MLC_TRY(LoopAt at, s.find(x.loop));
  if (std::find(kAxes.begin(), kAxes.end(), x.thread) == kAxes.end()) {
    return error("{}: \"{}\" is no thread axis; expected blockIdx.x, .y, .z or threadIdx.x, .y, .z", at.label,
                 x.thread);
  }
  if (x.thread.rfind("threadIdx", 0) == 0 && !as_const_int(at.node->extent)) {
    return error("{} has no constant extent, which {} needs", at.label, x.thread);
  }
  std::optional<Var> twice;
  auto check = [&](const Stmt& st) {
    const For* f = as<For>(st);
    if (f && f != at.node && f->kind == ForKind::kThread && f->thread == x.thread) twice = f->var;
  };
  for (const Stmt& p : at.path) check(p);
  for_each_stmt(at.node->body, check);
  if (twice) return error("{}: {} in the same nest is bound to {} already", at.label, s.label(*twice), x.thread);
  return with_kind(s, at, ForKind::kThread, x.thread);
}

}  // namespace mlc::schedule
