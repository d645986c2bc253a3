#include "loader/limits_kernels.h"

#include <vector>

namespace mlc::loader {

using ir::Buffer;
using ir::Expr;
using ir::Stmt;
using ir::Var;

namespace {

constexpr int kUnroll = 4;  // vectors of a stream per loop iteration

Expr lanes() { return ir::ramp(0, 1, static_cast<int>(kProbeLanes)); }

// `step` maps an accumulator's value and the two operands to its next value.
template <typename Step>
ir::PrimFunc register_probe(const std::string& name, DType dtype, Step step) {
  const DType vec = dtype.with_lanes(static_cast<int>(kProbeLanes));
  const Var workers = ir::var("workers"), rounds = ir::var("rounds");
  const Buffer in = ir::buffer("in", dtype, {2, kProbeLanes});
  const Buffer out = ir::buffer("out", dtype, {workers, kProbeAccumulators, kProbeLanes});
  const Buffer sums = ir::buffer("sums", dtype, {kProbeAccumulators, kProbeLanes}, ir::Scope::kLocal);
  ir::PrimFunc f;
  f.name = name;
  f.buffers = {in, out};
  f.sizes = {workers, rounds};
  f.body = ir::for_(
      "w", 0, workers,
      [&](Var w) {
        std::vector<Stmt> clear, add, write;
        for (int i = 0; i < kProbeAccumulators; ++i) {
          const Expr sum = ir::load(sums, {i, lanes()});
          clear.push_back(ir::store(sums, {i, lanes()}, ir::load(out, {w, i, lanes()})));
          add.push_back(
              ir::store(sums, {i, lanes()}, step(vec, sum, ir::load(in, {0, lanes()}), ir::load(in, {1, lanes()}))));
          write.push_back(ir::store(out, {w, i, lanes()}, sum));
        }
        Stmt loop = ir::for_("r", 0, rounds, [&](Var) { return ir::seq(add); });
        return ir::allocate(sums, ir::seq({ir::seq(clear), loop, ir::seq(write)}));
      },
      ir::ForKind::kParallel);
  return f;
}

}  // namespace

ir::PrimFunc read_probe(const std::string& name, int streams, int prefetch_bytes) {
  const int64_t per_stream = kProbeBytes / 4 / kProbeBlocks / streams, stride = kUnroll * kProbeLanes;
  const Buffer data = ir::buffer("data", DType::i32(), {kProbeBlocks, streams, per_stream});
  const Buffer out = ir::buffer("out", DType::i32(), {kProbeBlocks, kProbeLanes});
  // Chains of additions, enough to hide their latency whatever the number of streams.
  const Buffer sums = ir::buffer("sums", DType::i32(), {streams, kUnroll, kProbeLanes}, ir::Scope::kLocal);
  ir::PrimFunc f;
  f.name = name;
  f.buffers = {data, out};
  f.body = ir::for_(
      "b", 0, kProbeBlocks,
      [&](Var b) {
        std::vector<Stmt> clear;
        Expr total;
        for (int s = 0; s < streams; ++s) {
          for (int u = 0; u < kUnroll; ++u) {
            const Expr sum = ir::load(sums, {s, u, lanes()});
            clear.push_back(ir::store(sums, {s, u, lanes()}, ir::imm(sum.dtype(), 0)));
            total = total ? total + sum : sum;
          }
        }
        Stmt loop = ir::for_("i", 0, per_stream / stride, [&](Var i) {
          std::vector<Stmt> body;
          for (int s = 0; s < streams; ++s) {
            for (int u = 0; u < kUnroll; ++u) {
              const Expr at = Expr(i) * stride + kProbeLanes * u;
              if (prefetch_bytes > 0) body.push_back(ir::prefetch(data, {b, s, at + prefetch_bytes / 4}));
              body.push_back(ir::store(sums, {s, u, lanes()},
                                       ir::load(sums, {s, u, lanes()}) +
                                           ir::load(data, {b, s, ir::ramp(at, 1, static_cast<int>(kProbeLanes))})));
            }
          }
          return ir::seq(body);
        });
        return ir::allocate(sums, ir::seq({ir::seq(clear), loop, ir::store(out, {b, lanes()}, total)}));
      },
      ir::ForKind::kParallel);
  return f;
}

ir::PrimFunc dot_probe(const std::string& name) {
  return register_probe(name, DType::i32(),
                        [](DType vec, Expr sum, Expr a, Expr b) { return ir::call(vec, "dot4_u7s8", {sum, a, b}); });
}

ir::PrimFunc fma_probe(const std::string& name) {
  return register_probe(name, DType::f32(), [](DType, Expr sum, Expr a, Expr b) { return ir::fma(a, b, sum); });
}

ir::PrimFunc bf16_probe(const std::string& name) {
  return register_probe(name, DType::f32(), [](DType vec, Expr sum, Expr a, Expr b) {
    const DType words = DType::u32().with_lanes(vec.lanes);
    return ir::call(vec, "dot2_bf16", {sum, ir::reinterpret(words, a), ir::reinterpret(words, b)});
  });
}

}  // namespace mlc::loader
