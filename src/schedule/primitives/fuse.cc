#include "schedule/primitives/fuse.h"

#include "arith/simplify.h"
#include "schedule/rewrite.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT
using arith::simplify;

Result<Change> apply(const State& s, const Fuse& x) {
  if (x.loops.empty()) return error("no loops are given");
  std::vector<LoopAt> at;
  for (LoopRef l : x.loops) {
    MLC_TRY(LoopAt a, s.find(l));
    MLC_TRY_VOID(expect_serial(a, "fuse"));
    at.push_back(std::move(a));
  }
  for (size_t i = 0; i + 1 < at.size(); ++i) {
    if (!at[i].node->body.same_as(at[i + 1].path.back())) {
      return error("{} is not directly and alone inside {}", at[i + 1].label, at[i].label);
    }
    for (size_t k = 0; k <= i; ++k) {
      if (uses_var(at[i + 1].node->extent, at[k].node->var)) {
        return error("the extent of {} depends on {}", at[i + 1].label, at[k].label);
      }
    }
  }
  std::string name;
  Expr extent;
  for (const LoopAt& a : at) {
    name += (name.empty() ? "" : "_") + a.node->var.name();
    extent = extent ? extent * a.node->extent : a.node->extent;
  }
  const arith::Bounds bounds = bounds_along(s.func, at.back().path);
  Var fused = var(name);
  VarMap map;
  Expr rest = fused;
  for (size_t i = at.size(); i-- > 0;) {
    map[at[i].node->var] = i == 0 ? rest : floormod(rest, at[i].node->extent);
    rest = floordiv(rest, at[i].node->extent);
  }
  arith::Bounds inside = bounds;
  extent = simplify(extent, bounds);
  inside.bind(fused, 0, extent);
  for (auto& [v, e] : map) e = simplify(e, inside);
  Stmt body = substitute(at.back().node->body, map);
  Change c;
  c.loops = {fused};
  c.body = replace(s.func.body, at.front().path.back(), for_(fused, 0, extent, body));
  return c;
}

}  // namespace mlc::schedule
