// A rewriter whose replacements may name intermediate values: hoist(e) binds e to a variable around the statement that
// is being rewritten, so that e is evaluated (and printed, and simplified) once however often the replacement uses it.
// Legal because a statement's expressions are pure and all evaluated.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ir/visit.h"

namespace mlc::lower {

class LetHoister : public ir::Mutator {
 public:
  using ir::Mutator::mutate;
  ir::Stmt mutate(const ir::Stmt& s) override {
    // Children that are statements have lets of their own.
    return with_lets([&] { return ir::Mutator::mutate(s); });
  }

 protected:
  // The statement that make() gives, inside of what it hoists.
  template <typename F>
  ir::Stmt with_lets(F make) {
    std::vector<std::pair<ir::Var, ir::Expr>> lets;
    lets.swap(lets_);
    ir::Stmt r = make();
    for (auto it = lets_.rbegin(); it != lets_.rend(); ++it) r = ir::let(it->first, it->second, r);
    lets_.swap(lets);
    return r;
  }

  ir::Expr hoist(const char* name, const ir::Expr& e) {
    if (ir::as<ir::VarRef>(e) || ir::as<ir::IntImm>(e) || ir::as<ir::FloatImm>(e)) return e;
    ir::Var v = ir::var(name, e.dtype());
    lets_.emplace_back(v, e);
    return v;
  }

 private:
  std::vector<std::pair<ir::Var, ir::Expr>> lets_;
};

}  // namespace mlc::lower
