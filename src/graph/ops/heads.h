// What the emitters of rotary embedding and attention share: the shapes of heads and vectors over their columns.
#pragma once

#include "graph/op.h"
#include "ir/expr.h"

namespace mlc::graph::ops {

inline constexpr int64_t kPage = 16;  // tokens of a page (artifact::kPageSize)

struct Heads {
  int64_t heads, kv_heads, dim;
  int64_t group() const { return heads / kv_heads; }
};
inline Heads heads_of(const Node& node) {
  return {node.int_attr("heads"), node.int_attr("kv_heads"), node.int_attr("head_dim")};
}

inline ir::Expr index(const ir::Buffer& b, ir::Expr i) { return ir::cast(DType::i64(), ir::load(b, {std::move(i)})); }

// The widest power of two of lanes, up to 16, that divides n.
inline int lanes_for(int64_t n) {
  int lanes = 16;
  while (n % lanes != 0) lanes /= 2;
  return lanes;
}
inline ir::Expr vec(ir::Expr base, int lanes) { return lanes == 1 ? base : ir::ramp(std::move(base), 1, lanes); }
inline ir::Expr splat(ir::Expr e, int lanes) { return lanes == 1 ? e : ir::broadcast(std::move(e), lanes); }

}  // namespace mlc::graph::ops
