#include "arith/simplify.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "arith/affine.h"
#include "ir/interp.h"
#include "ir/random_program.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace mlc::arith {
namespace {

using namespace ir;  // NOLINT

struct Simplify : ::testing::Test {
  Var i = var("i"), j = var("j"), k = var("k"), n = var("n"), m = var("m");
  Bounds b;
  void SetUp() override {
    b.set(n, {0, IntSet::kInf});
    b.set(m, {1, IntSet::kInf});
    b.bind(i, 0, n);
    b.bind(j, 0, 16);
    b.bind(k, 0, 4);
  }
  std::string s(const Expr& e) {
    const Expr once = simplify(e, b);
    EXPECT_TRUE(equal(simplify(once, b), once)) << print(e);
    return print(once);
  }
};

TEST_F(Simplify, Sums) {
  EXPECT_EQ(s(i + j * 2 - i + 3 + j), "j * 3 + 3");
  EXPECT_EQ(s((i + 1) * (n + 2) - i * n - 2), "i * 2 + n");
  EXPECT_EQ(s(Expr(0) - i), "i * -1");
  EXPECT_EQ(s(Expr(5) - i - j * 2), "5 - i - j * 2");
  EXPECT_EQ(s(i * n - n * i), "0");
  EXPECT_EQ(s(i32(3) * cast(DType::i32(), i) + cast(DType::i32(), i)), "cast<i32>(i) * 4i32");
  EXPECT_EQ(s(imm(DType::u8(), 200) + cast(DType::u8(), i) + imm(DType::u8(), 100)), "cast<u8>(i) + 44u8");
}

TEST_F(Simplify, SplitPatterns) {
  EXPECT_EQ(s(floordiv(i * 16 + j, 16)), "i");
  EXPECT_EQ(s(floormod(i * 16 + j, 16)), "j");
  EXPECT_EQ(s(floordiv(i * 64 + j * 4 + k, 16)), "i * 4 + j // 4");
  EXPECT_EQ(s(floormod(i * 64 + j * 4 + k, 16)), "j % 4 * 4 + k");
  EXPECT_EQ(s(floordiv(floordiv(n, 4), 8)), "n // 32");
  EXPECT_EQ(s(floormod(floormod(n, 32), 8)), "n % 8");
  EXPECT_EQ(s(floordiv(n, 16) * 16 + floormod(n, 16)), "n");
  EXPECT_EQ(s(n - floordiv(n, 16) * 16), "n % 16");
  EXPECT_EQ(s(floordiv(i * 8 + 19, 4)), "i * 2 + 4");
  EXPECT_EQ(s(floordiv(i * 4 + 6, 8)), "(i + 1) // 2");
  EXPECT_EQ(s(floormod(Expr(-1) - j, 16)), "15 - j");
  EXPECT_EQ(s(floordiv(Expr(-1) - j, 16)), "-1");
}

TEST_F(Simplify, SymbolicDivisors) {
  Bounds with = b;
  with.bind(k, 0, m);
  b = with;
  EXPECT_EQ(s(floordiv(i * m + k, m)), "i");
  EXPECT_EQ(s(floormod(i * m + k, m)), "k");
  EXPECT_EQ(s(floordiv(m * 3, m)), "3");
}

TEST_F(Simplify, ComparisonsMinMaxSelect) {
  EXPECT_EQ(s(i < n), "true");
  EXPECT_EQ(s(j >= 16), "false");
  EXPECT_EQ(s(i * 16 + j < n * 16), "true");
  EXPECT_EQ(s(n > 16), "16 < n");
  EXPECT_EQ(s(n + 3 < i + n + 7), "true");
  EXPECT_EQ(s(n * 16 + j < m * 16), "n < m");
  EXPECT_EQ(s(n * 4 <= 15), "n <= 3");
  EXPECT_EQ(s(min(j, Expr(20))), "j");
  EXPECT_EQ(s(max(min(n, Expr(7)), Expr(9))), "9");
  EXPECT_EQ(s(max(i, n)), "n");
  EXPECT_EQ(s(select(i < n, f32(1), f32(2))), "1f32");
  EXPECT_EQ(s(eq(j, 16)), "false");
  EXPECT_EQ(s(logical_not(n < m)), "m <= n");
  EXPECT_EQ(s(logical_and(i < n, n < m)), "n < m");
}

TEST_F(Simplify, FloatsKeepTheirBits) {
  Buffer a = buffer("A", DType::f32(), {16});
  Expr x = load(a, {j});
  EXPECT_EQ(s(x * f32(1)), "A[j]");
  EXPECT_EQ(s(x + f32(0)), "A[j] + 0f32");  // -0 + 0 is 0
  EXPECT_EQ(s(x * f32(0)), "A[j] * 0f32");  // NaN
  EXPECT_EQ(s(x - x), "A[j] - A[j]");
  EXPECT_EQ(s(f32(1) / f32(3)), "0.33333334f32");
  EXPECT_EQ(s(logical_not(x < f32(1))), "!(A[j] < 1f32)");
  EXPECT_EQ(s(cast(DType::f32(), Expr(16777217))), "16777216f32");
}

TEST_F(Simplify, Vectors) {
  EXPECT_EQ(s(ramp(i, 1, 8) + broadcast(j, 8)), "ramp(i + j, 1, 8)");
  EXPECT_EQ(s(ramp(0, 1, 16) < broadcast(Expr(16), 16)), "broadcast(true, 16)");
  EXPECT_EQ(s(floordiv(ramp(i * 16 + k * 4, 1, 4), broadcast(16, 4))), "broadcast(i, 4)");
  EXPECT_EQ(s(floormod(ramp(i * 16 + k * 4, 1, 4), broadcast(16, 4))), "ramp(k * 4, 1, 4)");
  EXPECT_EQ(s(floordiv(ramp(i * 4, 4, 4), broadcast(4, 4))), "ramp(i, 1, 4)");
}

TEST_F(Simplify, ProofsWithTilesAndFacts) {
  Var t = var("t"), r = var("r");
  Bounds w;
  w.set(n, {0, IntSet::kInf});
  w.bind(t, 0, floordiv(n + 15, 16));
  w.bind(r, 0, min(Expr(16), n - t * 16));
  EXPECT_TRUE(prove(t * 16 + r < n, w));
  EXPECT_FALSE(prove(t * 16 + r + 1 < n, w));
  EXPECT_FALSE(prove(t * 16 + 15 < n, w));
  EXPECT_TRUE(prove(t * 16 < n + 16, w));
  Bounds facts;
  facts.assume(n + i < m);
  EXPECT_TRUE(prove(i + n < m + 1, facts));
  EXPECT_FALSE(prove(n < m, facts));
  facts.assume(i >= 0);
  EXPECT_TRUE(prove(n < m, facts));
  EXPECT_TRUE(prove_equal(floordiv(n * 8 + 8, 8), n + 1));
  EXPECT_FALSE(prove_equal(floordiv(n * 8 + 8, 8), n));
}

TEST_F(Simplify, Statements) {
  Result<PrimFunc> f = parse_func(R"(func f<n>(A: f32[n], B: f32[64]) {
    for i in 0 +: n {
      for one in 3 +: 1 { if i < n { A[i] = A[i] + cast<f32>(one) } else { A[0] = 7f32 } }
    }
    for i in 0 +: 0 { A[i] = 1f32 }
    for i in 0 +: 4 { for j in 0 +: 16 {
      if i * 16 + j < 64 { B[(i * 16 + j) // 16 * 16 + j] = 1f32 }
      if j < 0 { B[j] = 1f32 }
    } }
    let x: i64 = n * 2 { A[0] = 1f32 }
    alloc t: f32[n] { for q in 0 +: 0 { t[q] = 1f32 } }
    B[ramp(0, 1, 8) where ramp(0, 1, 8) < broadcast(8, 8)] = broadcast(1f32, 8)
    if n < 10 { assume n < 11 if n < 12 { B[1] = 2f32 } }
  })");
  ASSERT_TRUE(f) << f.error().message;
  EXPECT_EQ(print(simplify(*f)), R"(func f<n>(A: f32[n], B: f32[64]) {
  for i in 0 +: n {
    A[i] = A[i] + 3f32
  }
  for i_1 in 0 +: 4 {
    for j in 0 +: 16 {
      B[i_1 * 16 + j] = 1f32
    }
  }
  A[0] = 1f32
  B[ramp(0, 1, 8)] = broadcast(1f32, 8)
  if n < 10 {
    B[1] = 2f32
  }
}
)");
}

// ---- Property: the value stays, and a second pass changes nothing.

class RandomExpr {
 public:
  explicit RandomExpr(uint32_t seed) : rng_(seed) {
    for (int v = 0; v < 4; ++v) {
      vars.push_back(var("v" + std::to_string(v)));
      const int64_t lo = pick(5) == 0 ? -pick(20) : 0;
      ranges.push_back({lo, lo + 1 + pick(40)});
      bounds.set(vars.back(), ranges.back());
    }
  }
  std::vector<Var> vars;
  std::vector<IntSet> ranges;
  Bounds bounds;
  std::mt19937 rng_;
  int64_t pick(int64_t n) { return static_cast<int64_t>(rng_() % static_cast<uint32_t>(n)); }

  Expr index(int depth) {
    static constexpr int64_t kConstants[] = {1, 2, 3, 4, 8, 16, 5, 12, 32, 0, 7};
    if (depth == 0 || pick(6) == 0) {
      return pick(3) ? Expr(vars[static_cast<size_t>(pick(4))]) : Expr(kConstants[pick(11)] * (pick(5) ? 1 : -1));
    }
    switch (pick(10)) {
      case 0:
      case 1:
        return index(depth - 1) + index(depth - 1);
      case 2:
        return index(depth - 1) - index(depth - 1);
      case 3:
      case 4:
        return index(depth - 1) * Expr(kConstants[pick(9)]);
      case 5:
        return floordiv(index(depth - 1), Expr(kConstants[pick(9)]));
      case 6:
        return floormod(index(depth - 1), Expr(kConstants[pick(9)]));
      case 7:
        return pick(2) ? min(index(depth - 1), index(depth - 1)) : max(index(depth - 1), index(depth - 1));
      case 8:
        return select(cond(depth - 1), index(depth - 1), index(depth - 1));
      default:
        return pick(3) ? index(depth - 1) * index(1) : narrow(depth - 1);
    }
  }
  // Through other integer types, where things wrap.
  Expr narrow(int depth) {
    static constexpr DType kTypes[] = {DType::i8(),  DType::u8(),  DType::i32(),
                                       DType::u32(), DType::u64(), DType::i16()};
    const DType t = kTypes[pick(6)];
    Expr a = cast(t, index(depth)), b = cast(t, index(depth));
    const BinaryOp ops[] = {BinaryOp::kAdd, BinaryOp::kSub, BinaryOp::kMul, BinaryOp::kAnd, BinaryOp::kOr,
                            BinaryOp::kXor, BinaryOp::kShl, BinaryOp::kShr, BinaryOp::kMin, BinaryOp::kMax};
    Expr r = binary(ops[pick(10)], a, b);
    if (pick(2)) r = binary(ops[pick(10)], r, imm(t, pick(300) - 20));
    if (pick(4) == 0) r = floormod(r, imm(t, 1 + pick(9)));
    return cast(DType::i64(), cast(kTypes[pick(4)], r));
  }
  Expr cond(int depth) {
    const BinaryOp ops[] = {BinaryOp::kLt, BinaryOp::kLe, BinaryOp::kGt, BinaryOp::kGe, BinaryOp::kEq, BinaryOp::kNe};
    switch (pick(5)) {
      case 0:
        return logical_and(cond(0), cond(0));
      case 1:
        return logical_not(logical_or(cond(0), cond(0)));
      default:
        return binary(ops[pick(6)], index(depth), index(depth));
    }
  }
};

// Evaluates e at several points of the ranges through the interpreter; nullopt where it is an error.
std::vector<std::optional<int64_t>> values(RandomExpr& r, const Expr& e, uint32_t seed) {
  Buffer out = buffer("out", DType::i64(), {1});
  PrimFunc f{"f", {out}, r.vars, store(out, {Expr(0)}, cast(DType::i64(), e)), {}};
  std::mt19937 rng(seed);
  std::vector<std::optional<int64_t>> result;
  for (int p = 0; p < 12; ++p) {
    std::vector<int64_t> at;
    for (const IntSet& s : r.ranges) {
      const int64_t span = s.max - s.min + 1;
      at.push_back(p == 0 ? s.min : p == 1 ? s.max : s.min + static_cast<int64_t>(rng() % static_cast<uint64_t>(span)));
    }
    int64_t v = 0;
    Result<void> ok = interpret(f, {{&v, 8}}, at);
    result.push_back(ok ? std::optional(v) : std::nullopt);
  }
  return result;
}

int num_cases(int fallback) {
  const char* env = std::getenv("MLC_PROPERTY_CASES");
  return env ? std::max(1, std::atoi(env)) : fallback;
}

TEST(SimplifyProperty, KeepsValuesAndIsIdempotent) {
  for (int c = 0; c < num_cases(3000); ++c) {
    RandomExpr r(static_cast<uint32_t>(c) + 1);
    const Expr e = c % 4 == 0 ? r.cond(3) : r.index(4);
    const Expr once = simplify(e, r.bounds);
    ASSERT_TRUE(equal(simplify(once, r.bounds), once)) << "seed " << c << "\n"
                                                       << print(e) << "\n"
                                                       << print(once) << "\n"
                                                       << print(simplify(once, r.bounds));
    const auto before = values(r, e, 5), after = values(r, once, 5);
    const IntSet s = bounds_of(e, r.bounds);
    for (size_t p = 0; p < before.size(); ++p) {
      if (!before[p]) continue;
      ASSERT_TRUE(after[p] && *after[p] == *before[p])
          << "seed " << c << "\n"
          << print(e) << "\n"
          << print(once) << "\nat point " << p << ": " << *before[p] << " became "
          << (after[p] ? std::to_string(*after[p]) : "an error");
      ASSERT_TRUE(s.min <= *before[p] && *before[p] <= s.max) << "seed " << c << "\n" << print(e);
    }
  }
}

TEST(SimplifyProperty, LinearFormsKeepValues) {
  for (int c = 0; c < num_cases(500); ++c) {
    RandomExpr r(static_cast<uint32_t>(c) + 77);
    const Expr e = r.index(4);
    const auto before = values(r, e, 9), after = values(r, linear_form(e).to_expr(), 9);
    ASSERT_EQ(before, after) << "seed " << c << "\n" << print(e) << "\n" << print(linear_form(e).to_expr());
  }
}

TEST(SimplifyProperty, KeepsTheResultsOfPrograms) {
  for (int c = 0; c < num_cases(400); ++c) {
    RandomOptions options;
    options.lowered = c % 2 == 0;
    const RandomProgram p = random_program(static_cast<uint64_t>(c) + 100000, options);
    const PrimFunc g = simplify(p.func);
    Result<void> ok = verify(g, options.lowered ? Level::kLowered : Level::kScheduled);
    ASSERT_TRUE(ok) << "seed " << c << "\n" << ok.error().message;
    auto x = p.buffers, y = p.buffers;
    ASSERT_TRUE(interpret(p.func, raw_buffers(x), p.sizes)) << "seed " << c;
    Result<void> ran = interpret(g, raw_buffers(y), p.sizes);
    ASSERT_TRUE(ran) << "seed " << c << "\n" << ran.error().message << print(g);
    for (size_t b = 0; b < x.size(); ++b) {
      ASSERT_EQ(first_difference(g.buffers[b]->dtype, x[b], y[b]), -1) << "seed " << c << "\n"
                                                                       << print(p.func) << print(g);
    }
  }
}

// What prove() accepts about loops holds in every iteration.
TEST(SimplifyProperty, ProofsAboutLoopsHold) {
  int proven = 0;
  for (int c = 0; c < num_cases(3000); ++c) {
    std::mt19937 rng(static_cast<uint32_t>(c) + 3);
    auto pick = [&](int n) { return static_cast<int64_t>(rng() % static_cast<uint32_t>(n)); };
    const Var n = var("n"), m = var("m"), i = var("i"), j = var("j");
    const Expr tiles = floordiv(n + 3, 4), rest = min(Expr(4), n - i * 4);
    const Expr extents_i[] = {n, m, n + m, tiles}, extents_j[] = {m, Expr(4), rest, Expr(3), i + 1};
    const Expr ei = extents_i[pick(4)], ej = extents_j[pick(5)];
    const Expr terms[] = {n,         m,        i, j, i * 4, i * m, j * n, n * m, tiles, floordiv(i, 4), floormod(j, 4),
                          min(i, j), max(n, m)};
    auto side = [&] {
      Expr e = terms[pick(13)];
      for (int64_t t = pick(3); t > 0; --t) e = pick(3) ? e + terms[pick(13)] : e - terms[pick(13)];
      return e + Expr(pick(9) - 4);
    };
    const Expr claim = pick(4) ? side() < side() : (pick(2) ? side() <= side() : ne(side(), side()));
    Bounds b;
    b.set(n, {0, IntSet::kInf});
    b.set(m, {0, IntSet::kInf});
    b.bind(i, 0, ei);
    b.bind(j, 0, ej);
    const bool facts = pick(3) == 0;
    const Expr fact = side() <= side();
    if (facts) b.assume(fact);
    if (!prove(claim, b)) continue;
    ++proven;
    Stmt body = assume(claim);
    if (facts) body = if_(fact, body);
    PrimFunc f{"f", {}, {n, m}, for_(i, 0, ei, for_(j, 0, ej, body)), {}};
    for (int64_t nv = 0; nv < 6; ++nv) {
      for (int64_t mv = 0; mv < 6; ++mv) {
        Result<void> ok = interpret(f, {}, {nv, mv});
        ASSERT_TRUE(ok) << "seed " << c << " n " << nv << " m " << mv << "\n" << ok.error().message << "\n" << print(f);
      }
    }
  }
  EXPECT_GT(proven, num_cases(3000) / 50);
}

}  // namespace
}  // namespace mlc::arith
