#include "loader/compiler/limits_kernels.h"

#include <vector>

namespace mlc::loader {

using ir::Buffer;
using ir::Expr;
using ir::Stmt;
using ir::Var;

namespace {

constexpr int kUnroll = 4;  // vectors of a stream per loop iteration

Expr lanes() { return ir::ramp(0, 1, static_cast<int>(kProbeLanes)); }

// `round` makes the statements of one round out of the buffers of operands and of sums, the number of the round.
template <typename Round>
ir::PrimFunc register_probe(const std::string& name, DType dtype, int num_sums, Round round) {
  const Var workers = ir::var("workers"), rounds = ir::var("rounds");
  const Buffer in = ir::buffer("in", dtype, {kProbeOperands, kProbeLanes});
  const Buffer out = ir::buffer("out", dtype, {workers, num_sums, kProbeLanes});
  const Buffer sums = ir::buffer("sums", dtype, {num_sums, kProbeLanes}, ir::Scope::kLocal);
  ir::PrimFunc f;
  f.name = name;
  f.buffers = {in, out};
  f.sizes = {workers, rounds};
  f.body = ir::for_(
      "w", 0, workers,
      [&](Var w) {
        std::vector<Stmt> clear, write;
        for (int i = 0; i < num_sums; ++i) {
          const Expr sum = ir::load(sums, {i, lanes()});
          clear.push_back(ir::store(sums, {i, lanes()}, ir::load(out, {w, i, lanes()})));
          write.push_back(ir::store(out, {w, i, lanes()}, sum));
        }
        Stmt loop = ir::for_("r", 0, rounds, [&](Var r) { return round(in, sums, r); });
        return ir::allocate(sums, ir::seq({ir::seq(clear), loop, ir::seq(write)}));
      },
      ir::ForKind::kParallel);
  return f;
}

// Every round does the same: `step` maps a sum and the two operands to its next value.
template <typename Step>
ir::PrimFunc step_probe(const std::string& name, DType dtype, int num_sums, Step step) {
  return register_probe(name, dtype, num_sums, [&](const Buffer& in, const Buffer& sums, const Var&) {
    return ir::for_(
        "i", 0, num_sums,
        [&](Var i) {
          const Expr sum = ir::load(sums, {i, lanes()});
          return ir::store(sums, {i, lanes()},
                           step(sum.dtype(), sum, ir::load(in, {0, lanes()}), ir::load(in, {1, lanes()})));
        },
        ir::ForKind::kUnrolled);
  });
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

ir::PrimFunc dot_probe(const std::string& name, int sums) {
  return step_probe(name, DType::i32(), sums,
                    [](DType vec, Expr sum, Expr a, Expr b) { return ir::call(vec, "dot4_u7s8", {sum, a, b}); });
}

ir::PrimFunc codes_probe(const std::string& name, int num_sums) {
  constexpr int64_t kSets = 2;  // of codes, used in turn
  static_assert(kSets * kCodeSteps + kMaxAccumulators <= kProbeOperands);
  return register_probe(name, DType::i32(), num_sums, [&](const Buffer& in, const Buffer& sums, const Var& r) {
    const auto step = [&](const Var& s, const Var& i) {
      const Expr sum = ir::load(sums, {i, lanes()});
      const Expr codes =
          ir::load(in, {ir::floormod(r, kSets) * kCodeSteps + s, lanes()}) & ir::imm(sum.dtype(), 0x0f0f0f0f);
      const Expr x = ir::load(in, {Expr(i) + kSets * kCodeSteps, lanes()});
      return ir::store(sums, {i, lanes()}, ir::call(sum.dtype(), "dot4_u7s8", {sum, codes, x}));
    };
    const auto unrolled = ir::ForKind::kUnrolled;
    return ir::for_(
        "s", 0, kCodeSteps,
        [&](Var s) { return ir::for_("i", 0, num_sums, [&](Var i) { return step(s, i); }, unrolled); }, unrolled);
  });
}

ir::PrimFunc fma_probe(const std::string& name, int sums) {
  return step_probe(name, DType::f32(), sums, [](DType, Expr sum, Expr a, Expr b) { return ir::fma(a, b, sum); });
}

ir::PrimFunc bf16_probe(const std::string& name, int sums) {
  return step_probe(name, DType::f32(), sums, [](DType vec, Expr sum, Expr a, Expr b) {
    const DType words = DType::u32().with_lanes(vec.lanes);
    return ir::call(vec, "dot2_bf16", {sum, ir::reinterpret(words, a), ir::reinterpret(words, b)});
  });
}

}  // namespace mlc::loader
