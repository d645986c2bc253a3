#include "lower/unroll_loops.h"

#include "arith/simplify.h"
#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

int64_t count_statements(const Stmt& s) {
  int64_t n = 0;
  for_each_stmt(s, [&](const Stmt&) { ++n; });
  return n;
}

class Unroller : public Mutator {
 public:
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const Stmt r = Mutator::mutate(s);  // inner loops first
    const For* f = as<For>(r);
    if (!f || f->kind != ForKind::kUnrolled) return r;
    const int64_t* n = as_const_int(f->extent);
    if (!n || *n > kMaxUnroll || *n * count_statements(f->body) > kMaxStatements) {
      For serial = *f;
      serial.kind = ForKind::kSerial;
      return make_stmt(std::move(serial));
    }
    std::vector<Stmt> copies;
    for (int64_t i = 0; i < *n; ++i) {
      const int64_t* start = as_const_int(f->min);
      const Expr value = start ? Expr(*start + i) : f->min + Expr(i);
      copies.push_back(refresh(substitute(f->body, {{f->var, value}})));
    }
    return seq(std::move(copies));
  }
};

}  // namespace

PrimFunc unroll_loops(const PrimFunc& f) {
  PrimFunc result = f;
  result.body = Unroller().mutate(f.body);
  return result;
}

}  // namespace mlc::lower
