// Which elements a block touches, seen from a loop around it: the analysis under every legality check.
//
//   View v(func, path_of_block, loop);          // from inside one iteration of `loop`; null: from the block's scope
//   Box box = v.box(accesses_of(block)[0]);     // in terms of `loop`, the loops around it, and sizes
//
// A box is an upper bound. It is `exact` when every element of it (that the block's domain has) is really touched.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedule/iter_map.h"
#include "schedule/tree.h"

namespace mlc::schedule {

// One place in a block's code that touches a buffer. The indices are in terms of the block's variables, sizes and
// `inner`: the loops inside the block, or one made-up variable per dimension where only the region is declared.
struct Access {
  ir::Buffer buffer;
  std::vector<ir::Expr> indices;
  LoopExtents inner;
  bool write = false;
  bool conditional = false;  // under an If or a predicate inside the block
  bool in_init = false;
};
// Blocks with nested blocks, vector code or bit loads are taken at their declared regions.
std::vector<Access> accesses_of(const ir::Block& block);
bool touches(const std::vector<Access>& accesses, const ir::Buffer& buffer, bool write);

struct Box {
  std::vector<ir::Range> ranges;
  bool exact = false;
};

class View {
 public:
  View(const ir::PrimFunc& func, const Path& block_path, const ir::For* loop);

  Box box(const Access& a) const;
  // The indices in terms of the loops of the scope (and a.inner).
  std::vector<ir::Expr> in_loops(const Access& a) const;
  ir::Expr in_loops(const ir::Expr& e) const { return ir::substitute(e, bindings_); }

  const ir::Block& block() const { return *block_; }
  const arith::Bounds& bounds() const { return bounds_; }
  const LoopExtents& loops() const { return loops_; }        // of the scope, outer and inner ones
  const std::set<ir::Var>& inner() const { return inner_; }  // strictly inside `loop`
  const std::vector<IterLimit>& limits() const { return limits_; }
  // True when the predicate only cuts off instances outside the iteration domain, or narrows inner loops.
  bool predicate_is_domain() const { return predicate_is_domain_; }
  // True when distinct values of `vars` (loops of the scope) are distinct instances of the block.
  bool distinct_instances(const std::set<ir::Var>& vars) const;
  // True when distinct values of `vars` write distinct elements with this access.
  bool distinct_elements(const Access& a, const std::set<ir::Var>& vars) const;

 private:
  const ir::Block* block_;
  ir::VarMap bindings_;
  LoopExtents loops_;
  std::set<ir::Var> inner_;
  arith::Bounds bounds_;
  std::vector<IterLimit> limits_;
  bool predicate_is_domain_ = true;

  void check_predicate(const std::vector<ir::Expr>& other);
  std::optional<ir::Range> range_of(const std::vector<IterTerm>& inner_terms, const ir::Expr& min, bool* dense) const;
};

// [min, max] of e while the variables of `ranges` run over [0, extent); nullopt: not bounded this way.
std::optional<ir::Range> relax(const ir::Expr& e, const LoopExtents& ranges, const arith::Bounds& bounds);

// Per dimension. Both in the same variables.
bool covers(const Box& outer, const Box& inner, const ir::Buffer& buffer, const arith::Bounds& bounds);
Box unite(const Box& a, const Box& b, const ir::Buffer& buffer, const arith::Bounds& bounds);
Box whole(const ir::Buffer& buffer);

// The iteration domain of `block` that touches `box` through `access`: one range per iteration variable, the whole
// domain where the access does not tell. Never too small. `told[i]` says that the access bounds variable i exactly.
std::vector<ir::Range> solve_domain(const ir::Block& block, const Access& access, const Box& box,
                                    const arith::Bounds& bounds, std::vector<bool>* told = nullptr);

}  // namespace mlc::schedule
