// Normalization, element by element ops and row gathering.
#include "graph/ops/ops.h"

namespace mlc::graph::ops {
namespace {

using ir::Buffer;
using ir::Expr;
using ir::IterKind;
using ir::Stmt;
using ir::Var;

std::vector<TensorType> same_as_first(const Node&, const std::vector<TensorType>& in) { return {in[0]}; }
int64_t no_ops(const Node&) { return 0; }

int64_t columns(const Buffer& b) {
  const int64_t* n = ir::as_const_int(b->shape[1]);
  MLC_CHECK(n != nullptr, "the columns of {} are not constant", b->name);
  return *n;
}

// One block over all rows and columns of the output; columns are padded, so whole vectors may be stored.
Stmt map_block(const std::string& name, const EmitContext& c, const std::function<Expr(Expr m, Expr n)>& value) {
  return ir::block(name, c.row_iters({{"n", columns(c.out[0])}}),
                   [&](const std::vector<Var>& v) {
                     Expr m = c.row(v), n = v[c.first_column_var()];
                     return ir::BlockBody{{}, ir::store(c.out[0], {m, n}, value(m, n))};
                   },
                   {{"vectorize", int64_t{1}}});
}

Stmt emit_rms_norm(const EmitContext& c) {
  const int64_t n = c.node->int_attr("n");
  const double eps = c.node->float_attr("eps");
  const Buffer sum = ir::buffer("sum", DType::f32(), {c.rows_extent()});
  const size_t q = c.first_column_var();
  Stmt sum_nest = ir::block("sum", c.row_iters({{"n", n, IterKind::kReduce}}), [&](const auto& v) {
    Expr m = c.row(v), x = ir::load(c.in[0], {m, v[q]});
    return ir::BlockBody{ir::store(sum, {m}, ir::f32(0)), ir::store(sum, {m}, ir::fma(x, x, ir::load(sum, {m})))};
  });
  const Buffer inverse = ir::buffer("inverse", DType::f32(), {c.rows_extent()});
  Stmt inverse_nest = ir::block("inverse", c.row_iters({}), [&](const auto& v) {
    Expr m = c.row(v);
    Expr mean = ir::load(sum, {m}) * ir::f32(1.0 / static_cast<double>(n)) + ir::f32(eps);
    return ir::BlockBody{{}, ir::store(inverse, {m}, ir::f32(1) / ir::sqrt(mean))};
  });
  Stmt out_nest = map_block("norm", c, [&](Expr m, Expr i) {
    return ir::load(c.in[0], {m, i}) * ir::load(inverse, {m}) * ir::load(c.in[1], {i});
  });
  return ir::allocate(sum, ir::allocate(inverse, ir::seq({sum_nest, inverse_nest, out_nest})));
}

Stmt emit_silu_mul(const EmitContext& c) {
  const int64_t n = c.node->int_attr("n");
  const bool ragged = n % quant::kLanes != 0;  // the up half then starts inside a vector; edges need a guard
  return map_block("silu_mul", c, [&](Expr m, Expr i) {
    Expr inside = i < Expr(n);
    auto at = [&](const Expr& col) {
      return ragged ? ir::load(c.in[0], {m, col}, inside) : ir::load(c.in[0], {m, col});
    };
    Expr gate = at(i), up = at(i + n);
    return gate / (ir::f32(1) + ir::exp(-gate)) * up;
  });
}

}  // namespace

OpDef rms_norm() { return {"rms_norm", OpKind::kRowwise, same_as_first, emit_rms_norm, no_ops}; }

OpDef add() {
  return {"add", OpKind::kElementwise, same_as_first,
          [](const EmitContext& c) {
            return map_block("add", c,
                             [&](Expr m, Expr n) { return ir::load(c.in[0], {m, n}) + ir::load(c.in[1], {m, n}); });
          },
          no_ops};
}

OpDef add_bias() {
  return {"add_bias", OpKind::kElementwise, same_as_first,
          [](const EmitContext& c) {
            return map_block("add_bias", c,
                             [&](Expr m, Expr n) { return ir::load(c.in[0], {m, n}) + ir::load(c.in[1], {n}); });
          },
          no_ops};
}

OpDef silu_mul() {
  return {"silu_mul", OpKind::kRowwise,
          [](const Node& node, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{
                {DType::f32(), {in[0].shape[0], quant::round_up(node.int_attr("n"), quant::kLanes)}}};
          },
          emit_silu_mul, no_ops};
}

OpDef take_rows() {
  return {"take_rows", OpKind::kRowwise,
          [](const Node&, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{{DType::f32(), {in[1].shape[0], in[0].shape[1]}}};
          },
          [](const EmitContext& c) {
            return map_block("take_rows", c, [&](Expr m, Expr n) {
              return ir::load(c.in[0], {ir::cast(DType::i64(), ir::load(c.in[1], {m})), n});
            });
          },
          no_ops};
}

}  // namespace mlc::graph::ops
