#include "ir/stmt.h"

#include "ir/func.h"
#include "ir/typing.h"
#include "ir/visit.h"

namespace mlc::ir {

const PrimFunc* Module::find(const std::string& name) const {
  for (const PrimFunc& f : functions) {
    if (f.name == name) return &f;
  }
  return nullptr;
}

Stmt for_(const Var& v, Expr min, Expr extent, Stmt body, ForKind kind) {
  MLC_TYPE_CHECK(v && v.dtype() == DType::i64(), "a loop variable must be i64");
  MLC_TYPE_CHECK(min.dtype() == DType::i64() && extent.dtype() == DType::i64(), "bounds of loop {} must be i64",
                 v.name());
  MLC_TYPE_CHECK(body, "loop {} has no body", v.name());
  return make_stmt(For{v, std::move(min), std::move(extent), kind, std::move(body), {}, {}});
}

Stmt for_(const std::string& name, Expr min, Expr extent, const std::function<Stmt(Var)>& body, ForKind kind) {
  Var v = var(name);
  Stmt b = body(v);
  return for_(v, std::move(min), std::move(extent), std::move(b), kind);
}

Stmt store(const Buffer& buffer, std::vector<Expr> indices, Expr value, Expr predicate) {
  // The checks of a load are those of a store.
  const DType t = load(buffer, indices, predicate).dtype();
  MLC_TYPE_CHECK(value && value.dtype() == t, "store of {} to {} elements of buffer {}",
                 value ? value.dtype().str() : "(null)", t.str(), buffer->name);
  return make_stmt(Store{buffer, std::move(indices), std::move(value), std::move(predicate)});
}

Stmt if_(Expr cond, Stmt then_case, Stmt else_case) {
  MLC_TYPE_CHECK(cond.dtype() == DType::boolean(), "condition of an if is {}", cond.dtype().str());
  MLC_TYPE_CHECK(then_case, "an if needs a statement");
  return make_stmt(If{std::move(cond), std::move(then_case), std::move(else_case)});
}

Stmt seq(std::vector<Stmt> stmts) {
  std::vector<Stmt> flat;
  for (Stmt& s : stmts) {
    if (!s) continue;
    if (const Seq* inner = as<Seq>(s)) {
      flat.insert(flat.end(), inner->stmts.begin(), inner->stmts.end());
    } else {
      flat.push_back(std::move(s));
    }
  }
  if (flat.size() == 1) return flat[0];
  return make_stmt(Seq{std::move(flat)});
}

Stmt allocate(const Buffer& buffer, Stmt body) {
  MLC_TYPE_CHECK(buffer && body, "allocate needs a buffer and a body");
  return make_stmt(Allocate{buffer, std::move(body)});
}

Stmt let(const Var& v, Expr value, Stmt body) {
  MLC_TYPE_CHECK(v && value && v.dtype() == value.dtype(), "let {} of type {}", v ? v.name() : "(null)",
                 value ? value.dtype().str() : "(null)");
  MLC_TYPE_CHECK(body, "let {} has no body", v.name());
  return make_stmt(Let{v, std::move(value), std::move(body)});
}

Stmt evaluate(Expr value) { return make_stmt(Evaluate{std::move(value)}); }

Stmt assume(Expr cond) {
  MLC_TYPE_CHECK(cond.dtype() == DType::boolean(), "assumption of type {}", cond.dtype().str());
  return make_stmt(Assume{std::move(cond)});
}

Stmt prefetch(const Buffer& buffer, std::vector<Expr> indices, int locality) {
  MLC_TYPE_CHECK(load(buffer, indices).dtype().lanes == 1, "prefetch of buffer {} needs scalar indices", buffer->name);
  MLC_TYPE_CHECK(locality >= 0 && locality <= 3, "prefetch locality {}", locality);
  return make_stmt(Prefetch{buffer, std::move(indices), locality});
}

Stmt barrier(Scope scope) { return make_stmt(Barrier{scope}); }

Stmt block(const std::string& name, const std::vector<IterSpec>& iters,
           const std::function<BlockBody(const std::vector<Var>&)>& body, Annotations annotations) {
  std::vector<Var> loops, vars;
  for (const IterSpec& it : iters) {
    loops.push_back(var(it.name));
    vars.push_back(var("v" + it.name));
  }
  BlockBody code = body(vars);
  MLC_TYPE_CHECK(code.body, "block {} has no body", name);
  Block b;
  b.name = name;
  for (size_t i = 0; i < iters.size(); ++i) b.iters.push_back({vars[i], iters[i].extent, iters[i].kind, loops[i]});
  Regions regions = derive_regions({code.init, code.body});
  b.reads = std::move(regions.reads);
  b.writes = std::move(regions.writes);
  b.init = std::move(code.init);
  b.body = std::move(code.body);
  b.annotations = std::move(annotations);
  Stmt result = make_stmt(std::move(b));
  for (size_t i = iters.size(); i-- > 0;) result = for_(loops[i], 0, iters[i].extent, std::move(result));
  return result;
}

}  // namespace mlc::ir
