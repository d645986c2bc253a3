#include "schedule/primitives/reorder.h"

#include <algorithm>

#include "schedule/legality.h"

namespace mlc::schedule {

using namespace ir;  // NOLINT

namespace {

// The perfect nest from the outermost to the innermost of the named loops.
Result<std::vector<const For*>> chain_of(const State& s, const std::vector<LoopAt>& at) {
  auto depth = [](const LoopAt& a, const LoopAt& b) { return a.path.size() < b.path.size(); };
  const LoopAt& deepest = *std::max_element(at.begin(), at.end(), depth);
  const LoopAt& top = *std::min_element(at.begin(), at.end(), depth);
  std::vector<const For*> chain;
  bool started = false;
  for (const Stmt& p : deepest.path) {
    started |= p.same_as(top.path.back());
    if (!started) continue;
    const For* f = as<For>(p);
    if (!f) {
      return error("{} is not perfectly nested down to {}: something else stands between them", top.label,
                   deepest.label);
    }
    chain.push_back(f);
  }
  for (const LoopAt& a : at) {
    if (std::find(chain.begin(), chain.end(), a.node) == chain.end()) {
      return error("{} is not in the nest between {} and {}", a.label, top.label, deepest.label);
    }
  }
  (void)s;
  return chain;
}

Result<void> check_extents(const State& s, const std::vector<const For*>& chain, const std::vector<int>& order) {
  for (size_t i = 0; i < order.size(); ++i) {
    const For* f = chain[static_cast<size_t>(order[i])];
    for (size_t k = i + 1; k < order.size(); ++k) {
      const For* inner = chain[static_cast<size_t>(order[k])];
      if (uses_var(f->extent, inner->var)) {
        return error("the extent of {} depends on {}, which would stand inside it", s.label(f->var),
                     s.label(inner->var));
      }
    }
  }
  return {};
}

}  // namespace

Result<Change> apply(const State& s, const Reorder& x) {
  if (x.loops.empty()) return error("no loops are given");
  std::vector<LoopAt> at;
  for (LoopRef l : x.loops) {
    MLC_TRY(LoopAt a, s.find(l));
    for (const LoopAt& b : at) {
      if (a.node == b.node) return error("{} is given twice", a.label);
    }
    at.push_back(std::move(a));
  }
  MLC_TRY(std::vector<const For*> chain, chain_of(s, at));
  std::vector<int> order;
  size_t next = 0;
  for (size_t i = 0; i < chain.size(); ++i) {
    const bool named = std::any_of(at.begin(), at.end(), [&](const LoopAt& a) { return a.node == chain[i]; });
    const For* f = named ? at[next++].node : chain[i];
    order.push_back(static_cast<int>(std::find(chain.begin(), chain.end(), f) - chain.begin()));
  }
  MLC_TRY_VOID(check_extents(s, chain, order));
  Path top = *path_to_loop(s.func.body, chain.front()->var);
  if (!std::is_sorted(order.begin(), order.end())) MLC_TRY_VOID(check_reorder(s, chain, order, top));
  Stmt body = chain.back()->body;
  for (size_t i = order.size(); i-- > 0;) body = with_body(*chain[static_cast<size_t>(order[i])], body);
  Change c;
  c.body = replace(s.func.body, top.back(), body);
  return c;
}

}  // namespace mlc::schedule
