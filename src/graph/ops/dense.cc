// Linear layers: the weight as expressions (dequantization), float and integer matmuls, activation quantization.
#include "graph/ops/ops.h"

namespace mlc::graph::ops {
namespace {

using ir::Buffer;
using ir::Expr;
using ir::IterKind;
using ir::Stmt;
using ir::Var;

Expr cast_index(const Expr& e) { return ir::cast(DType::i64(), e); }

std::vector<Buffer> weight_buffers(const EmitContext& c, size_t first) {
  return {c.in.begin() + static_cast<std::ptrdiff_t>(first), c.in.end()};
}

TensorType product_type(const Node& node, const Dim& rows) { return {DType::f32(), {rows, node.weight->n_padded()}}; }
int64_t weight_ops(const Node& node) { return 2 * node.weight->n() * node.weight->k(); }
int64_t no_ops(const Node&) { return 0; }

// ---- embedding
Stmt emit_embedding(const EmitContext& c) {
  const auto& w = *c.node->weight;
  const auto buffers = weight_buffers(c, 1);
  return ir::block("embedding", c.row_iters({{"k", w.k()}}), [&](const std::vector<Var>& v) {
    Expr m = c.row(v), k = v[c.first_column_var()];
    Expr token = cast_index(ir::load(c.in[0], {m}));
    return ir::BlockBody{{}, ir::store(c.out[0], {m, k}, w.value(buffers, token, k))};
  });
}

// ---- quantize_rows: per row and group of 32, scale = max|x| / 127, words of four s8, zeros = -zero * sum of codes.
Stmt emit_quantize(const EmitContext& c) {
  const int64_t k = c.node->int_attr("k"), zero = c.node->int_attr("zero");
  const int64_t groups = (k + quant::kGroup - 1) / quant::kGroup;
  const Expr rows = c.rows_extent();
  const Buffer amax = ir::buffer("amax", DType::f32(), {rows, groups});
  const Buffer codes = ir::buffer("codes", DType::i32(), {rows, groups, quant::kGroup});
  const bool ragged = k % quant::kGroup != 0;
  auto x_at = [&](const Expr& m, const Expr& g, const Expr& r) {
    Expr col = g * quant::kGroup + r;
    return ragged ? ir::load(c.in[0], {m, col}, col < Expr(k)) : ir::load(c.in[0], {m, col});
  };
  const size_t q = c.first_column_var();
  Stmt max_nest =
      ir::block("amax", c.row_iters({{"g", groups}, {"r", quant::kGroup, IterKind::kReduce}}), [&](const auto& v) {
        Expr m = c.row(v), g = v[q], r = v[q + 1];
        Expr x = ir::call(DType::f32(), "abs", {x_at(m, g, r)});
        return ir::BlockBody{ir::store(amax, {m, g}, ir::f32(0)),
                             ir::store(amax, {m, g}, ir::max(ir::load(amax, {m, g}), x))};
      });
  Stmt scale_nest = ir::block("scale", c.row_iters({{"g", groups}}), [&](const auto& v) {
    Expr m = c.row(v), g = v[q];
    return ir::BlockBody{{}, ir::store(c.out[1], {m, g}, ir::load(amax, {m, g}) * ir::f32(1.0 / 127.0))};
  });
  Stmt code_nest = ir::block("codes", c.row_iters({{"g", groups}, {"r", quant::kGroup}}), [&](const auto& v) {
    Expr m = c.row(v), g = v[q], r = v[q + 1];
    Expr a = ir::load(amax, {m, g});
    Expr inverse = ir::select(a > ir::f32(0), ir::f32(127) / ir::max(a, ir::f32(1e-30)), ir::f32(0));
    Expr rounded = ir::call(DType::f32(), "round", {x_at(m, g, r) * inverse});
    return ir::BlockBody{{}, ir::store(codes, {m, g, r}, ir::cast(DType::i32(), rounded))};
  });
  Stmt word_nest = ir::block("words", c.row_iters({{"g", groups}, {"s", 8}}), [&](const auto& v) {
    Expr m = c.row(v), g = v[q], s = v[q + 1];
    Expr word;
    for (int j = 0; j < 4; ++j) {
      Expr byte = (ir::load(codes, {m, g, s * 4 + j}) & ir::i32(255)) << ir::i32(8 * j);
      word = word ? (word | byte) : byte;
    }
    return ir::BlockBody{{}, ir::store(c.out[0], {m, g * 8 + s}, word)};
  });
  Stmt zero_nest =
      ir::block("zeros", c.row_iters({{"g", groups}, {"r", quant::kGroup, IterKind::kReduce}}), [&](const auto& v) {
        Expr m = c.row(v), g = v[q], r = v[q + 1];
        Expr term = ir::load(codes, {m, g, r}) * ir::i32(zero);
        return ir::BlockBody{ir::store(c.out[2], {m, g}, ir::i32(0)),
                             ir::store(c.out[2], {m, g}, ir::load(c.out[2], {m, g}) - term)};
      });
  return ir::allocate(amax, ir::allocate(codes, ir::seq({max_nest, scale_nest, code_nest, word_nest, zero_nest})));
}

std::vector<TensorType> infer_quantize(const Node& node, const std::vector<TensorType>& in) {
  const int64_t groups = (node.int_attr("k") + quant::kGroup - 1) / quant::kGroup;
  const Dim rows = in[0].shape[0];
  return {{DType::i32(), {rows, groups * 8}}, {DType::f32(), {rows, groups}}, {DType::i32(), {rows, groups}}};
}

// ---- dequantize: w[n, k] in f32
Stmt emit_dequantize(const EmitContext& c) {
  const auto& w = *c.node->weight;
  return ir::block("dequantize", {{"n", w.n_padded()}, {"k", w.k()}}, [&](const std::vector<Var>& v) {
    return ir::BlockBody{{}, ir::store(c.out[0], {v[0], v[1]}, w.value(c.in, v[0], v[1]))};
  });
}

// ---- matmul: out[m, n] = sum over k of x[m, k] * w[n, k], in ascending k
Stmt emit_matmul(const EmitContext& c) {
  const auto& w = *c.node->weight;
  const auto iters = c.row_iters({{"n", w.n_padded()}, {"k", w.k(), IterKind::kReduce}});
  return ir::block("matmul", iters, [&](const std::vector<Var>& v) {
    Expr m = c.row(v), n = v[c.first_column_var()], k = v[c.first_column_var() + 1];
    Expr sum = ir::fma(ir::load(c.in[0], {m, k}), ir::load(c.in[1], {n, k}), ir::load(c.out[0], {m, n}));
    return ir::BlockBody{ir::store(c.out[0], {m, n}, ir::f32(0)), ir::store(c.out[0], {m, n}, sum)};
  });
}

// ---- matmul_int8: dot[m, n, g] starts at the zero-point term; out[m, n] = sum over g of dot * scales, ascending g
Stmt emit_matmul_int8(const EmitContext& c) {
  const auto& w = *c.node->weight;
  const auto weights = weight_buffers(c, 3);
  const int64_t np = w.n_padded(), groups = w.groups();
  const Buffer dot = ir::buffer("dot", DType::i32(), {c.rows_extent(), np, groups});
  const size_t q = c.first_column_var();
  const char* dot4 = w.storage() == quant::Storage::kInt4Group32 ? "dot4_u7s8" : "dot4_u8s8";
  Stmt dot_nest =
      ir::block("dot", c.row_iters({{"n", np}, {"g", groups}, {"s", 8, IterKind::kReduce}}), [&](const auto& v) {
        Expr m = c.row(v), n = v[q], g = v[q + 1], s = v[q + 2];
        Expr sum = ir::call(DType::i32(), dot4,
                            {ir::load(dot, {m, n, g}), w.codes4(weights, n, g, s), ir::load(c.in[0], {m, g * 8 + s})});
        return ir::BlockBody{ir::store(dot, {m, n, g}, ir::load(c.in[2], {m, g})), ir::store(dot, {m, n, g}, sum)};
      });
  Stmt sum_nest = ir::block("matmul", c.row_iters({{"n", np}, {"g", groups, IterKind::kReduce}}), [&](const auto& v) {
    Expr m = c.row(v), n = v[q], g = v[q + 1];
    Expr scale = ir::load(c.in[1], {m, g}) * w.scale(weights, n, g);
    Expr sum = ir::fma(ir::cast(DType::f32(), ir::load(dot, {m, n, g})), scale, ir::load(c.out[0], {m, n}));
    return ir::BlockBody{ir::store(c.out[0], {m, n}, ir::f32(0)), ir::store(c.out[0], {m, n}, sum)};
  });
  return ir::allocate(dot, ir::seq({dot_nest, sum_nest}));
}

}  // namespace

OpDef embedding() {
  return {"embedding", OpKind::kRowwise,
          [](const Node& node, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{
                {DType::f32(), {in[0].shape[0], quant::round_up(node.weight->k(), quant::kLanes)}}};
          },
          emit_embedding, no_ops};
}

OpDef quantize_rows() { return {"quantize_rows", OpKind::kRowwise, infer_quantize, emit_quantize, no_ops}; }

OpDef linear() {
  return {"linear", OpKind::kMatmul,
          [](const Node& node, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{product_type(node, in[0].shape[0])};
          },
          [](const EmitContext& c) -> Stmt {
            MLC_UNREACHABLE("linear {} must be expanded before it is emitted", c.node->name);
          },
          weight_ops};
}

OpDef dequantize() {
  return {"dequantize", OpKind::kElementwise,
          [](const Node& node, const std::vector<TensorType>&) {
            return std::vector<TensorType>{{DType::f32(), {node.weight->n_padded(), node.weight->k()}}};
          },
          emit_dequantize, no_ops};
}

OpDef matmul() {
  return {"matmul", OpKind::kMatmul,
          [](const Node& node, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{product_type(node, in[0].shape[0])};
          },
          emit_matmul, weight_ops};
}

OpDef matmul_int8() {
  return {"matmul_int8", OpKind::kMatmul,
          [](const Node& node, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{product_type(node, in[0].shape[0])};
          },
          emit_matmul_int8, weight_ops};
}

}  // namespace mlc::graph::ops
