#include "ir/visit.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ir/verify.h"

namespace mlc::ir {
namespace {

struct Visit : ::testing::Test {
  Var n = var("n"), i = var("i");
  Buffer a = buffer("A", DType::f32(), {n}), b = buffer("B", DType::f32(), {n});
};

TEST_F(Visit, SubstituteSharesWhatDoesNotChange) {
  Expr e = load(a, {i + 1}) * f32(2);
  EXPECT_TRUE(substitute(e, {{n, Expr(3)}}).same_as(e));
  EXPECT_EQ(print(substitute(e, {{i, Expr(3)}})), "A[3 + 1] * 2f32");
  Stmt s = seq({store(b, {0}, e), barrier()});
  Stmt t = substitute(s, {{i, n}});
  EXPECT_TRUE(as<Seq>(t)->stmts[1].same_as(as<Seq>(s)->stmts[1]));
}

TEST_F(Visit, SubstituteRenewsLocalBuffersWhoseShapeChanges) {
  Buffer t = buffer("t", DType::f32(), {n * 2});
  Stmt s = allocate(t, store(t, {n}, f32(1)));
  const std::string text = print(substitute(s, {{n, Expr(8)}}));
  EXPECT_EQ(text, "alloc t: f32[8 * 2] {\n  t[8] = 1f32\n}\n");
}

TEST_F(Visit, SpecializeRemovesSizes) {
  PrimFunc f{"f", {a, b}, {n}, for_("i", 0, n, [&](Var v) { return store(b, {v}, load(a, {v})); }), {}};
  PrimFunc g = specialize(f, {{n, Expr(16)}});
  EXPECT_EQ(print(g), "func f(A: f32[16], B: f32[16]) {\n  for i in 0 +: 16 {\n    B[i] = A[i]\n  }\n}\n");
  EXPECT_TRUE(verify(g, Level::kLowered));
}

TEST_F(Visit, RefreshMakesBindersNew) {
  Stmt s = for_("i", 0, n, [&](Var v) { return store(b, {v}, load(a, {v})); });
  Stmt t = refresh(s);
  EXPECT_FALSE(as<For>(s)->var == as<For>(t)->var);
  EXPECT_EQ(print(s), print(t));
  EXPECT_EQ(free_vars(t), std::set<Var>{n});
}

TEST_F(Visit, FreeVarsAndUses) {
  Expr e = load(a, {i + n});
  EXPECT_EQ(free_vars(e), (std::set<Var>{i, n}));
  EXPECT_TRUE(uses_var(e, i));
  Stmt s = for_(i, 0, n, store(b, {i}, e));
  EXPECT_EQ(free_vars(s), std::set<Var>{n});
}

TEST_F(Visit, ReplaceBuffers) {
  Stmt s = store(b, {0}, load(a, {0}));
  EXPECT_EQ(print(replace_buffers(s, {{a, b}})), "B[0] = B[0]\n");
}

TEST_F(Visit, EqualIsByIdentityOfVariables) {
  EXPECT_TRUE(equal(i + 1, i + 1));
  EXPECT_FALSE(equal(i + 1, i + 2));
  EXPECT_FALSE(equal(i + 1, var("i") + 1));
  EXPECT_FALSE(equal(f32(0.0), f32(-0.0)));
}

TEST(Regions, LoopsInsideBecomeExtents) {
  Buffer a = buffer("A", DType::f32(), {64, 64}), c = buffer("C", DType::f32(), {64});
  Stmt s = block("sum", {{"m", 8}}, [&](const std::vector<Var>& v) {
    Stmt body = for_("j", 0, 16, [&](Var j) {
      return store(c, {v[0] * 2 + 1},
                   load(a, {v[0], j * 4 + 3}) + load(a, {v[0] + 1, floormod(j, 5)}) +
                       vector_reduce(ReduceOp::kAdd, load(c, {ramp(v[0], 1, 8)})));
    });
    return BlockBody{{}, body};
  });
  const Block* b = nullptr;
  for_each_stmt(s, [&](const Stmt& x) { b = as<Block>(x) ? as<Block>(x) : b; });
  const std::string text = print(s);
  EXPECT_NE(text.find("reads A[vm +: 2, 0 +: 64], C[vm +: 8]"), std::string::npos) << text;
  EXPECT_NE(text.find("writes C[vm * 2 + 1 +: 1]"), std::string::npos) << text;
}

TEST(Regions, LocalBuffersAndBitsAndNestedBlocks) {
  Result<PrimFunc> f = parse_func(R"(func f(A: i8[128], C: i32[8]) {
    for i in 0 +: 8 {
      block outer(spatial vi in 8 = i) {
        alloc t: i32[1] { t[0] = load_bits<i32>(A[vi * 4])
          for j in 0 +: 2 { block inner(spatial vj in 2 = j) { C[vi] = t[0] + cast<i32>(A[vi * 16 + vj]) } } }
      } } })");
  // `vi` is not visible in the inner block: this is for the regions only.
  const Block* outer = nullptr;
  ASSERT_TRUE(f);
  for_each_stmt(f->body, [&](const Stmt& x) { outer = !outer && as<Block>(x) ? as<Block>(x) : outer; });
  Regions r = derive_regions({outer->body});
  ASSERT_EQ(r.reads.size(), 1u);
  EXPECT_EQ(r.reads[0].buffer->name, "A");
  ASSERT_EQ(r.writes.size(), 1u);
  EXPECT_EQ(r.writes[0].buffer->name, "C");
}

}  // namespace
}  // namespace mlc::ir
