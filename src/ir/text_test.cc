#include "ir/text.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/intrinsics.h"
#include "ir/verify.h"
#include "ir/visit.h"

namespace mlc::ir {
namespace {

void expect_round_trip(const PrimFunc& f) {
  const std::string text = print(f);
  Result<PrimFunc> back = parse_func(text);
  ASSERT_TRUE(back) << back.error().message << "\n" << text;
  std::string why;
  EXPECT_TRUE(structural_equal(f, *back, &why)) << why << "\n" << text;
  EXPECT_EQ(print(*back), text);
}

// One of every node.
PrimFunc everything() {
  Var n = var("n");
  Buffer a = buffer("A", DType::f32(), {n, 64}), b = buffer("B", DType::i8(), {n * 4});
  Buffer c = buffer("A", DType::f32(), {64});  // the name of another one
  Buffer odd(std::make_shared<const BufferNode>(BufferNode{"for", DType::u16(), {}, Scope::kGlobal, 8}));
  Var i = var("i");
  Expr v = load(c, {ramp(0, 1, 16)});
  std::vector<Stmt> s;
  s.push_back(store(a, {Expr(i), ramp(0, 2, 16)}, fma(v, broadcast(f32(0.1), 16), -v), v < broadcast(f32(1e-30), 16)));
  s.push_back(
      store(c, {Expr(3)}, vector_reduce(ReduceOp::kMax, v) + f32(INFINITY) + f32(-INFINITY) + f32(NAN) + f32(-0.0)));
  s.push_back(store(c, {i}, -(f32(2)) * (-f32(-2)) / (f32(1) - (f32(2) - f32(3)))));
  s.push_back(store(c, {floordiv(i, -3) - floormod(i, 5)}, load(a, {Expr(0), Expr(0)}, logical_not(i < n))));
  s.push_back(store(b, {i}, cast(DType::i8(), reinterpret(DType::i32(), f32(1)) >> i32(3) ^ i32(-1))));
  s.push_back(store(odd, {}, imm(DType::u16(), 65535) | shuffle({imm(DType::u16().with_lanes(4), 3)}, {2})));
  s.push_back(evaluate(select(eq(i, 0), imm(DType::u64(), -1), cast(DType::u64(), load_bits(DType::i32(), b, {i})))));
  s.push_back(assume(logical_and(i >= 0, logical_or(i < n, ne(i, 7)))));
  s.push_back(prefetch(a, {i, 0}, 2));
  s.push_back(barrier());
  s.push_back(if_(i < 3, make_stmt(Seq{{barrier()}}), make_stmt(Seq{{}})));
  Buffer t = buffer("t", DType::f16(), {4}, Scope::kLocal);
  Var x = var("x", DType::f16());
  s.push_back(allocate(t, let(x, fimm(DType::f16(), 0.1), store(t, {1}, x + fimm(DType::f16(), 65504)))));
  Stmt body =
      make_stmt(For{i, 1, n - 1, ForKind::kThread, seq(s), "threadIdx.x", {{"k", int64_t{-4}}, {"s x", "a\"b\n"}}});
  Stmt sum = block("sum", {{"m", n}, {"k", 64, IterKind::kReduce}}, [&](const std::vector<Var>& it) {
    return BlockBody{store(c, {floormod(it[0], 64)}, f32(0)),
                     store(c, {floormod(it[0], 64)}, load(c, {floormod(it[0], 64)}) + load(a, {it[0], it[1]}))};
  });
  return {"f", {a, b, c, odd}, {n}, seq({body, sum, refresh(body)}), {{"stage", "graph"}}};
}

TEST(Text, RoundTrip) {
  expect_round_trip(everything());
  for (const HwInstruction& h : all_instructions()) expect_round_trip(h.meaning);
  for (const TensorIntrin& t : all_tensor_intrins()) {
    expect_round_trip(t.desc);
    expect_round_trip(t.impl);
  }
}

TEST(Text, BinderSharedByTwoPlacesPrintsTwoNames) {
  Buffer c = buffer("C", DType::f32(), {8});
  Stmt s = for_("i", 0, 8, [&](Var i) { return store(c, {i}, f32(1)); });
  expect_round_trip({"f", {c}, {}, seq({s, s}), {}});
}

TEST(Text, KnownText) {
  const std::string text = R"(func add<n>(A: f32[n], C: f32[n] align 4) {
  for i in 0 +: n parallel {
    C[i] = A[i] + 0.5f32 * (A[i] - -1f32)
  }
}
)";
  Result<PrimFunc> f = parse_func("# a comment\n" + text);
  ASSERT_TRUE(f) << f.error().message;
  EXPECT_EQ(print(*f), text);
  EXPECT_TRUE(verify(*f, Level::kLowered));
}

TEST(Text, ErrorsNameThePlace) {
  auto message = [](const char* text) {
    Result<Module> m = parse_module(text, "x.tir");
    return m ? std::string("parsed") : m.error().message;
  };
  EXPECT_EQ(message("func f(A: f32[4]) {\n  A[i] = 1f32\n}"), "x.tir:2:5: 'i' is no variable or buffer in scope");
  EXPECT_EQ(message("func f(A: f32[4]) {\n  A[0] = 1f32 + 2\n}"),
            "x.tir:2:15: operands of a binary operator differ: f32 and i64");
  EXPECT_EQ(message("func f(A: f32[4]) {\n  A[0, 1] = 1f32\n}"),
            "x.tir:2:3: buffer A has 1 dimensions, accessed with 2 indices");
  EXPECT_EQ(message("func f(A: f32[4]) {"), "x.tir:1:20: found the end of the text, expected a statement");
  EXPECT_EQ(message("func f(A: f3[4]) {"), "x.tir:1:11: found 'f3', expected a type");
  EXPECT_EQ(message("func f(A: i8[4]) { A[0] = 300i8 }"), "x.tir:1:27: the number '300i8' does not fit its type");
  EXPECT_NE(message(std::string(100000, '(').c_str()).find("expected"), std::string::npos);
  EXPECT_NE(message(("func f(A: i8[4]) { A[0] = " + std::string(100000, '(')).c_str()).find("nested deeper"),
            std::string::npos);
}

TEST(StructuralEqual, SeesDifferences) {
  auto with = [](const char* body) {
    return *parse_func(std::string("func f<n>(A: f32[n], B: f32[n]) {") + body + "}");
  };
  const PrimFunc f = with("for i in 0 +: n { A[i] = B[i] + 1f32 }");
  EXPECT_TRUE(structural_equal(f, with("for other in 0 +: n { A[other] = B[other] + 1f32 }")));
  for (const char* other : {"for i in 0 +: n { A[i] = B[i] + 2f32 }", "for i in 0 +: n { B[i] = A[i] + 1f32 }",
                            "for i in 0 +: n parallel { A[i] = B[i] + 1f32 }", "for i in 1 +: n { A[i] = B[i] + 1f32 }",
                            "for i in 0 +: n { A[i] = 1f32 + B[i] }", "for i in 0 +: n { A[n] = B[i] + 1f32 }",
                            "for i in 0 +: n { A[i] = B[i] + 1f32 A[i] = B[i] + 1f32 }"}) {
    std::string why;
    EXPECT_FALSE(structural_equal(f, with(other), &why)) << other;
    EXPECT_FALSE(why.empty());
  }
}

}  // namespace
}  // namespace mlc::ir
