// Linear layers: the weight as expressions (dequantization), float and integer matmuls, activation quantization.
#include "graph/ops/ops.h"
#include "graph/ops/rounding.h"

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
bool zeros_apart(const Node& quantize) { return quantize.attrs.count("apart") > 0; }

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

// ---- quantize_rows: per row and group of 32, scale = max|x| / 127, codes = round(x / scale) as words of four s8,
// zeros = -zero * sum of codes, or, with the attribute "apart", two of 16 bits: of bytes 0 and 1 of the words, and of
// bytes 2 and 3. Rows and groups together are the parallel loop, so that one row uses all cores.
using Sixteen = std::function<Expr(const Expr& m, const Expr& column)>;  // f32x16 of a row from a column on
Stmt quantized(const EmitContext& c, const Sixteen& x_at) {
  const int64_t k = c.node->int_attr("k"), zero = c.node->int_attr("zero");
  const int64_t groups = (k + quant::kGroup - 1) / quant::kGroup;
  const DType vf = DType::f32().with_lanes(16), vi = DType::i32().with_lanes(16);
  auto words_of = [&](const Expr& codes) {
    return ir::reinterpret(DType::i32().with_lanes(4), ir::cast(DType::i8().with_lanes(16), codes));
  };
  return ir::for_(
      "mg", 0, c.syms[static_cast<int>(c.rows)] * groups,
      [&](const Var& mg) {
        const Expr m = ir::floordiv(mg, groups), g = ir::floormod(mg, groups);
        const Var x0 = ir::var("x0", vf), x1 = ir::var("x1", vf), amax = ir::var("amax", DType::f32());
        const Var inverse = ir::var("inverse", DType::f32()), q0 = ir::var("q0", vi), q1 = ir::var("q1", vi);
        const Expr largest = ir::reinterpret(
            DType::f32(), ir::vector_reduce(ir::ReduceOp::kMax, ir::max(magnitude_bits(x0), magnitude_bits(x1))));
        const Expr both = Expr(q0) + q1, sum = ir::vector_reduce(ir::ReduceOp::kAdd, both);
        const Var all = ir::var("all", DType::i32()), first = ir::var("first", DType::i32());
        Stmt zeros;
        if (zeros_apart(*c.node)) {
          // Lanes 0, 1, 4, 5 …: their numbers have no bit 1.
          const Expr mask = (ir::ramp(ir::i32(0), ir::i32(1), 16) >> ir::imm(vi, 1) & ir::imm(vi, 1)) - ir::imm(vi, 1);
          const auto part = [&](int i, const Expr& of) {
            return ir::store(c.out[2], {m, g * 2 + i}, ir::cast(DType::i16(), of * ir::i32(-zero)));
          };
          zeros = ir::let(all, sum,
                          ir::let(first, ir::vector_reduce(ir::ReduceOp::kAdd, both & mask),
                                  ir::seq({part(0, first), part(1, Expr(all) - first)})));
        } else {
          zeros = ir::store(c.out[2], {m, g}, sum * ir::i32(-zero));
        }
        Stmt stores = ir::seq({ir::store(c.out[0], {m, ir::ramp(g * 8, 1, 4)}, words_of(q0)),
                               ir::store(c.out[0], {m, ir::ramp(g * 8 + 4, 1, 4)}, words_of(q1)),
                               ir::store(c.out[1], {m, g}, Expr(amax) * ir::f32(1.0 / 127.0)), zeros});
        stores = ir::let(q0, nearest_code(x0, inverse), ir::let(q1, nearest_code(x1, inverse), stores));
        stores = ir::let(amax, largest, ir::let(inverse, inverse_scale(amax), stores));
        return ir::let(x0, x_at(m, g * quant::kGroup), ir::let(x1, x_at(m, g * quant::kGroup + 16), stores));
      },
      ir::ForKind::kParallel);
}

Stmt emit_quantize(const EmitContext& c) {
  const int64_t k = c.node->int_attr("k");
  return quantized(c, [&](const Expr& m, const Expr& column) {
    const Expr lanes = ir::ramp(column, 1, 16);
    if (k % quant::kGroup == 0) return ir::load(c.in[0], {m, lanes});
    return ir::load(c.in[0], {m, lanes}, lanes < ir::broadcast(Expr(k), 16));
  });
}

// ---- silu_quantize: the same of silu(gate) * up, which nobody else reads
Stmt emit_silu_quantize(const EmitContext& c) {
  const int64_t k = c.node->int_attr("k");
  return quantized(c, [&](const Expr& m, const Expr& column) {
    const DType f = DType::f32().with_lanes(16);
    const Expr gate = ir::load(c.in[0], {m, ir::ramp(column, 1, 16)});
    const Expr up = ir::load(c.in[0], {m, ir::ramp(column + k, 1, 16)});
    return gate / (ir::fimm(f, 1) + ir::exp(-gate)) * up;
  });
}

std::vector<TensorType> infer_quantize(const Node& node, const std::vector<TensorType>& in) {
  const int64_t groups = (node.int_attr("k") + quant::kGroup - 1) / quant::kGroup;
  const Dim rows = in[0].shape[0];
  const TensorType zeros =
      zeros_apart(node) ? TensorType{DType::i16(), {rows, groups * 2}} : TensorType{DType::i32(), {rows, groups}};
  return {{DType::i32(), {rows, groups * 8}}, {DType::f32(), {rows, groups}}, zeros};
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
  const auto start = [&](const Expr& m, const Expr& g) {
    if (c.in[2]->dtype == DType::i32()) return ir::load(c.in[2], {m, g});
    const auto part = [&](int i) { return ir::cast(DType::i32(), ir::load(c.in[2], {m, g * 2 + i})); };
    return part(0) + part(1);
  };
  Stmt dot_nest =
      ir::block("dot", c.row_iters({{"n", np}, {"g", groups}, {"s", 8, IterKind::kReduce}}), [&](const auto& v) {
        Expr m = c.row(v), n = v[q], g = v[q + 1], s = v[q + 2];
        Expr codes = ir::reinterpret(DType::i32(), w.codes4(weights, n, g, s));
        Expr sum = ir::call(DType::i32(), dot4, {ir::load(dot, {m, n, g}), codes, ir::load(c.in[0], {m, g * 8 + s})});
        return ir::BlockBody{ir::store(dot, {m, n, g}, start(m, g)), ir::store(dot, {m, n, g}, sum)};
      });
  Stmt sum_nest = ir::block("matmul", c.row_iters({{"n", np}, {"g", groups, IterKind::kReduce}}), [&](const auto& v) {
    Expr m = c.row(v), n = v[q], g = v[q + 1];
    Expr scale = ir::load(c.in[1], {m, g}) * w.scale(weights, n, g);
    Expr sum = ir::fma(ir::cast(DType::f32(), ir::load(dot, {m, n, g})), scale, ir::load(c.out[0], {m, n}));
    return ir::BlockBody{ir::store(c.out[0], {m, n}, ir::f32(0)), ir::store(c.out[0], {m, n}, sum)};
  });
  return ir::allocate(dot, ir::seq({dot_nest, sum_nest}));
}

// ---- bf16_rows: columns of 16 are eight words. Behind an odd k stands a 0, so that nothing is added for it.
Stmt emit_bf16_rows(const EmitContext& c) {
  const int64_t k = c.node->int_attr("k"), vectors = quant::round_up(k, quant::kLanes) / quant::kLanes;
  return ir::for_(
      "mc", 0, c.syms[static_cast<int>(c.rows)] * vectors,
      [&](const Var& mc) {
        const Expr m = ir::floordiv(mc, vectors), first = ir::floormod(mc, vectors) * quant::kLanes;
        const Expr at = ir::ramp(first, 1, 16);
        const Expr x =
            k % 2 == 0 ? ir::load(c.in[0], {m, at}) : ir::load(c.in[0], {m, at}, at < ir::broadcast(Expr(k), 16));
        const Expr halves = ir::cast(DType::bf16().with_lanes(16), x);
        return ir::store(c.out[0], {m, ir::ramp(ir::floordiv(first, 2), 1, 8)},
                         ir::reinterpret(DType::u32().with_lanes(8), halves));
      },
      ir::ForKind::kParallel);
}

// ---- matmul_bf16: out[m, n] = sum over h of dot2(x[m, h], w[n, h]), in ascending h
Stmt emit_matmul_bf16(const EmitContext& c) {
  const auto& w = *c.node->weight;
  const auto weights = weight_buffers(c, 1);
  const auto iters = c.row_iters({{"n", w.n_padded()}, {"h", w.pairs(), IterKind::kReduce}});
  return ir::block("matmul", iters, [&](const std::vector<Var>& v) {
    Expr m = c.row(v), n = v[c.first_column_var()], h = v[c.first_column_var() + 1];
    Expr sum = ir::call(DType::f32(), "dot2_bf16",
                        {ir::load(c.out[0], {m, n}), w.pair(weights, n, h), ir::load(c.in[0], {m, h})});
    return ir::BlockBody{ir::store(c.out[0], {m, n}, ir::f32(0)), ir::store(c.out[0], {m, n}, sum)};
  });
}

}  // namespace

OpDef bf16_rows() {
  return {"bf16_rows", OpKind::kExplicit,
          [](const Node& node, const std::vector<TensorType>& in) {
            const int64_t words = quant::round_up(node.int_attr("k"), quant::kLanes) / 2;
            return std::vector<TensorType>{{DType::u32(), {in[0].shape[0], words}}};
          },
          emit_bf16_rows, no_ops};
}

OpDef matmul_bf16() {
  return {"matmul_bf16", OpKind::kMatmul,
          [](const Node& node, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{product_type(node, in[0].shape[0])};
          },
          emit_matmul_bf16, weight_ops};
}

OpDef embedding() {
  return {"embedding", OpKind::kRowwise,
          [](const Node& node, const std::vector<TensorType>& in) {
            return std::vector<TensorType>{
                {DType::f32(), {in[0].shape[0], quant::round_up(node.weight->k(), quant::kLanes)}}};
          },
          emit_embedding, no_ops};
}

OpDef quantize_rows() { return {"quantize_rows", OpKind::kExplicit, infer_quantize, emit_quantize, no_ops}; }

OpDef silu_quantize() { return {"silu_quantize", OpKind::kExplicit, infer_quantize, emit_silu_quantize, no_ops}; }

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
