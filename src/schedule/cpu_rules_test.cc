// The CPU rules on kernels as the graph makes them: the scheduled function means the same.
#include <gtest/gtest.h>

#include "schedule/rules/rules.h"
#include "schedule/testing.h"

namespace mlc::schedule {
namespace {

using namespace ir;  // NOLINT

// Rows as one variable, or as tiles of `tile`; buffers have whole tiles of rows.
struct Rows {
  Var rows = var("rows");
  int64_t tile;

  std::vector<IterSpec> iters(std::vector<IterSpec> more) const {
    std::vector<IterSpec> out;
    if (tile == 1) {
      out.push_back({"m", rows});
    } else {
      out.push_back({"mt", floordiv(Expr(rows) + Expr(tile - 1), tile)});
      out.push_back({"mi", tile});
    }
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  size_t first() const { return tile == 1 ? 1 : 2; }
  Expr row(const std::vector<Var>& v) const { return tile == 1 ? Expr(v[0]) : v[0] * Expr(tile) + v[1]; }
  Expr extent() const { return tile == 1 ? Expr(rows) : floordiv(Expr(rows) + Expr(tile - 1), tile) * Expr(tile); }
};

constexpr int64_t kN = 64, kGroups = 2;

Expr elementwise(const Buffer& c, const Buffer& r, Expr m, Expr n) { return load(c, {m, n}) + load(r, {m, n}); }

PrimFunc integer_matmul(int64_t tile, int tails) {
  Rows r{var("rows"), tile};
  Buffer x = buffer("x", DType::i32(), {r.extent(), kGroups * 8}),
         xs = buffer("xs", DType::f32(), {r.extent(), kGroups});
  Buffer xz = buffer("xz", DType::i32(), {r.extent(), kGroups});
  Buffer w = buffer("w", DType::i32(), {kN / 16, kGroups, 8, 16}),
         ws = buffer("ws", DType::f32(), {kN / 16, kGroups, 16});
  Buffer res = buffer("res", DType::f32(), {r.extent(), kN}), out = buffer("out", DType::f32(), {r.extent(), kN});
  Buffer dot = buffer("dot", DType::i32(), {r.extent(), kN, kGroups}), c = buffer("c", DType::f32(), {r.extent(), kN});
  Buffer t = buffer("t", DType::f32(), {r.extent(), kN});
  const size_t q = r.first();
  std::vector<Stmt> nests;
  nests.push_back(block("dot", r.iters({{"n", kN}, {"g", kGroups}, {"s", 8, IterKind::kReduce}}), [&](const auto& v) {
    Expr m = r.row(v), n = v[q], g = v[q + 1], s = v[q + 2];
    Expr code = load(w, {floordiv(n, 16), g, s, floormod(n, 16)});
    Expr add = call(DType::i32(), "dot4_u8s8", {load(dot, {m, n, g}), code, load(x, {m, g * 8 + s})});
    return BlockBody{store(dot, {m, n, g}, load(xz, {m, g})), store(dot, {m, n, g}, add)};
  }));
  nests.push_back(block("matmul", r.iters({{"n", kN}, {"g", kGroups, IterKind::kReduce}}), [&](const auto& v) {
    Expr m = r.row(v), n = v[q], g = v[q + 1];
    Expr scale = load(xs, {m, g}) * load(ws, {floordiv(n, 16), g, floormod(n, 16)});
    return BlockBody{store(c, {m, n}, f32(0)),
                     store(c, {m, n}, fma(cast(DType::f32(), load(dot, {m, n, g})), scale, load(c, {m, n})))};
  }));
  auto tail = [&](const std::string& name, const Buffer& from, const Buffer& to) {
    nests.push_back(block(name, r.iters({{"n", kN}}), [&](const auto& v) {
      return BlockBody{{}, store(to, {r.row(v), v[q]}, elementwise(from, res, r.row(v), v[q]))};
    }));
  };
  if (tails == 1) tail("add", c, out);
  if (tails == 2) tail("add", c, t), tail("add_1", t, out);
  Stmt body = allocate(c, allocate(dot, seq(nests)));
  if (tails == 2) body = allocate(t, body);
  return {"k", {x, xs, xz, w, ws, res, out}, {r.rows}, body, {{"row_tile", tile}}};
}

PrimFunc float_matmul(int64_t tile) {
  constexpr int64_t kK = 24;
  Rows r{var("rows"), tile};
  Buffer x = buffer("x", DType::f32(), {r.extent(), kK}), w = buffer("w", DType::f32(), {kN / 16, kK, 16});
  Buffer res = buffer("res", DType::f32(), {r.extent(), kN}), out = buffer("out", DType::f32(), {r.extent(), kN});
  Buffer c = buffer("c", DType::f32(), {r.extent(), kN}), d = buffer("d", DType::f32(), {kN, kK});
  const size_t q = r.first();
  Stmt dequantize = block("dequantize", {{"n", kN}, {"k", kK}}, [&](const auto& v) {
    return BlockBody{{}, store(d, {v[0], v[1]}, load(w, {floordiv(v[0], 16), v[1], floormod(v[0], 16)}))};
  });
  Stmt matmul = block("matmul", r.iters({{"n", kN}, {"k", kK, IterKind::kReduce}}), [&](const auto& v) {
    Expr m = r.row(v), n = v[q], k = v[q + 1];
    return BlockBody{store(c, {m, n}, f32(0)),
                     store(c, {m, n}, fma(load(x, {m, k}), load(d, {n, k}), load(c, {m, n})))};
  });
  Stmt tail = block("add", r.iters({{"n", kN}}), [&](const auto& v) {
    return BlockBody{{}, store(out, {r.row(v), v[q]}, elementwise(c, res, r.row(v), v[q]))};
  });
  return {
      "k", {x, w, res, out}, {r.rows}, allocate(c, allocate(d, seq({dequantize, matmul, tail}))), {{"row_tile", tile}}};
}

PrimFunc rms_norm() {
  Rows r{var("rows"), 1};
  Buffer x = buffer("x", DType::f32(), {r.extent(), kN}), w = buffer("w", DType::f32(), {kN});
  Buffer out = buffer("out", DType::f32(), {r.extent(), kN});
  Buffer sum = buffer("sum", DType::f32(), {r.extent()}), inverse = buffer("inverse", DType::f32(), {r.extent()});
  Stmt a = block("sum", r.iters({{"n", kN, IterKind::kReduce}}), [&](const auto& v) {
    Expr e = load(x, {v[0], v[1]});
    return BlockBody{store(sum, {v[0]}, f32(0)), store(sum, {v[0]}, fma(e, e, load(sum, {v[0]})))};
  });
  Stmt b = block("inverse", r.iters({}), [&](const auto& v) {
    return BlockBody{{}, store(inverse, {v[0]}, f32(1) / sqrt(load(sum, {v[0]}) + f32(1e-5)))};
  });
  Stmt c = block("norm", r.iters({{"n", kN}}),
                 [&](const auto& v) {
                   return BlockBody{
                       {}, store(out, {v[0], v[1]}, load(x, {v[0], v[1]}) * load(inverse, {v[0]}) * load(w, {v[1]}))};
                 },
                 {{"vectorize", int64_t{1}}});
  return {"norm", {x, w, out}, {r.rows}, allocate(sum, allocate(inverse, seq({a, b, c}))), {}};
}

void check(const PrimFunc& f, Result<Schedule> s) {
  ASSERT_TRUE(s) << s.error().message;
  auto verified = verify(s->func(), Level::kScheduled);
  EXPECT_TRUE(verified) << verified.error().message;
  for (int64_t rows : {1, 3, 4, 17}) {
    EXPECT_TRUE(testing::same_meaning(f, s->func(), {rows}, 5)) << print(s->func());
    EXPECT_TRUE(testing::same_meaning(f, testing::adverse(s->func()), {rows}, 5)) << print(s->func());
  }
}

TEST(CpuRules, Matmul) {
  const target::Target target = target::Target::host();
  for (int64_t tile : {1, 4, 8}) {
    for (int tails : {1, 2}) {
      SCOPED_TRACE(fmt::format("integer matmul, {} rows, {} tails", tile, tails));
      const PrimFunc f = integer_matmul(tile, tails);
      check(f, matmul_rule(f, target));
    }
    SCOPED_TRACE(fmt::format("float matmul, {} rows", tile));
    const PrimFunc f = float_matmul(tile);
    check(f, matmul_rule(f, target));
  }
}

TEST(CpuRules, Rowwise) {
  const PrimFunc f = rms_norm();
  check(f, rowwise_rule(f, target::Target::host()));
}

}  // namespace
}  // namespace mlc::schedule
