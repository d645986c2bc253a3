#include "lower/legalize_parallel.h"

#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

// Makes parallel loops serial: the inner ones of a nest, or all.
class Serializer : public Mutator {
 public:
  explicit Serializer(bool all) : inside_(all) {}
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const For* f = as<For>(s);
    if (!f || f->kind != ForKind::kParallel) return Mutator::mutate(s);
    const bool saved = inside_;
    For loop = *f;
    if (inside_) loop.kind = ForKind::kSerial;
    inside_ = true;
    loop.body = mutate(f->body);
    inside_ = saved;
    return make_stmt(std::move(loop));
  }

 private:
  bool inside_;
};

// What stands outside of parallel loops.
struct Outside {
  int parallel = 0;
  bool stores = false;
  bool nested = false;  // a parallel loop in a serial one

  void visit(const Stmt& s, bool in_loop) {
    if (!s) return;
    if (const For* f = as<For>(s)) {
      if (f->kind == ForKind::kParallel) {
        ++parallel;
        nested = nested || in_loop;
      } else {
        visit(f->body, true);
      }
    } else if (as<Store>(s)) {
      stores = true;
    } else if (const If* i = as<If>(s)) {
      visit(i->then_case, in_loop);
      visit(i->else_case, in_loop);
    } else if (const Seq* q = as<Seq>(s)) {
      for (const Stmt& c : q->stmts) visit(c, in_loop);
    } else if (const Allocate* a = as<Allocate>(s)) {
      visit(a->body, in_loop);
    } else if (const Let* l = as<Let>(s)) {
      visit(l->body, in_loop);
    }
  }
};

}  // namespace

PrimFunc legalize_parallel(const PrimFunc& f) {
  Outside outside;
  outside.visit(f.body, false);
  if (outside.parallel == 0) return f;
  const bool shared = outside.parallel == 1 && !outside.stores && !outside.nested;
  PrimFunc result = f;
  result.body = Serializer(!shared).mutate(f.body);
  return result;
}

}  // namespace mlc::lower
