#include "lower/lower_blocks.h"

#include "ir/visit.h"

namespace mlc::lower {

using namespace ir;  // NOLINT: a pass is written in the IR's words

namespace {

class BlockLowerer : public Mutator {
 public:
  using Mutator::mutate;
  Stmt mutate(const Stmt& s) override {
    const Block* block = as<Block>(s);
    if (!block) return Mutator::mutate(s);
    VarMap values;
    Expr first;  // all reduce variables are at 0
    for (const IterVar& it : block->iters) {
      values[it.var] = it.binding;
      if (it.kind != IterKind::kReduce) continue;
      const Expr at_zero = eq(it.binding, 0);
      first = first ? logical_and(first, at_zero) : at_zero;
    }
    Stmt body = mutate(substitute(block->body, values));
    if (block->init) {
      Stmt init = mutate(substitute(block->init, values));
      body = seq({first ? if_(first, init) : init, body});
    }
    for (auto b = block->allocs.rbegin(); b != block->allocs.rend(); ++b) body = allocate(*b, body);
    if (block->predicate) body = if_(block->predicate, body);
    return body;
  }
};

}  // namespace

PrimFunc lower_blocks(const PrimFunc& f) {
  PrimFunc result = f;
  result.body = BlockLowerer().mutate(f.body);
  return result;
}

}  // namespace mlc::lower
