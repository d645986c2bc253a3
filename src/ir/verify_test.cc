#include "ir/verify.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ir/visit.h"

namespace mlc::ir {
namespace {

std::string violation(const std::string& body, Level level = Level::kGraph) {
  Result<PrimFunc> f = parse_func("func f<n>(A: f32[n, 8], B: i8[64]) {\n" + body + "\n}");
  EXPECT_TRUE(f) << f.error().message;
  if (!f) return "";
  Result<void> r = verify(*f, level);
  return r ? "" : r.error().message.substr(0, r.error().message.find('\n'));
}

TEST(Verify, AcceptsEveryLevel) {
  const char* plain = "for i in 0 +: n parallel { for j in 0 +: 8 { A[i, j] = 1f32 } }";
  for (Level l : {Level::kGraph, Level::kScheduled, Level::kLowered}) EXPECT_EQ(violation(plain, l), "");
}

TEST(Verify, Calls) {
  EXPECT_EQ(violation("A[0, 0] = @foo<f32>(1f32)"), "function f: unknown intrinsic foo");
  EXPECT_EQ(violation("A[0, 0] = @exp<f32>(1f32, 2f32)"), "function f: exp takes 1 arguments, not 2");
  EXPECT_EQ(violation("A[0, 0] = cast<f32>(@exp<f64>(1f32))"), "function f: exp of f32 with result f64");
  EXPECT_EQ(violation("B[0] = reduce_add(cast<i8x16>(@x86.vpdpbusd.512<i32x16>(broadcast(1i32, 16), "
                      "load_bits<i8x64>(B[0]), broadcast(1i32, 16))))"),
            "function f: argument 1 of x86.vpdpbusd.512 is i8x64, expected i32x16");
}

TEST(Verify, Blocks) {
  const std::string block = "block b(spatial v in 8 = i) { A[0, v] = 1f32 }";
  EXPECT_EQ(violation("for i in 0 +: 8 { " + block + " }"), "");
  EXPECT_EQ(violation("for i in 0 +: 8 { " + block + block + " }"), "function f: two blocks are named b");
  EXPECT_EQ(violation("for i in 0 +: 8 { block b(spatial v in 8 = i) { A[0, i] = 1f32 } }"),
            "function f: variable i of a loop outside is used inside a block; only the block's variables are visible");
  EXPECT_EQ(violation("for i in 0 +: 8 { block b(spatial v in 8 = i) { init { A[0, v] = 0f32 } A[0, v] = 1f32 } }"),
            "function f: block b has an init but no reduce variable");
  EXPECT_EQ(violation("for i in 0 +: 8 { " + block + " }", Level::kLowered), "function f: block b is still there");
}

TEST(Verify, Loops) {
  EXPECT_EQ(violation("for i in 0 +: n vectorized { A[i, 0] = 1f32 }"),
            "function f: vectorized or unrolled loop i has extent n, which is no constant");
  EXPECT_EQ(violation("for i in 0 +: 8 unrolled { A[i, 0] = 1f32 }", Level::kLowered),
            "function f: loop i is still vectorized or unrolled");
  const std::string loop = "for i in 0 +: n parallel { A[i, 0] = 1f32 }";
  EXPECT_EQ(violation("for o in 0 +: 2 parallel { " + loop + " }", Level::kLowered),
            "function f: parallel loop i stands inside another parallel loop");
  EXPECT_EQ(violation(loop + loop, Level::kLowered),
            "function f: loop i is a second parallel loop; workers have no barrier between the two");
  EXPECT_EQ(violation("A[0, 0] = 1f32 " + loop, Level::kLowered),
            "function f: a store stands outside the parallel loop, where every worker would run it");
  EXPECT_EQ(violation("for o in 0 +: 2 { " + loop + " }", Level::kLowered),
            "function f: the parallel loop stands inside the loop o");
  EXPECT_EQ(violation("let x: i64 = n * 2 { " + loop + " }", Level::kLowered), "");
}

TEST(Verify, ScopesOfHandMadeTrees) {
  Var n = var("n"), i = var("i");
  Buffer a = buffer("A", DType::f32(), {n}), t = buffer("t", DType::f32(), {i + 1}), u = buffer("u", DType::f32(), {4});
  auto check = [&](Stmt body) {
    Result<void> r = verify(PrimFunc{"f", {a}, {n}, body, {}}, Level::kGraph);
    return r ? "" : r.error().message.substr(0, r.error().message.find('\n'));
  };
  EXPECT_EQ(check(store(a, {i}, f32(1))), "function f: variable i is used before it is defined");
  EXPECT_EQ(check(store(u, {0}, f32(1))), "function f: buffer u is used outside its scope");
  EXPECT_EQ(check(for_(i, 0, 4, for_(i, 0, 4, store(a, {i}, f32(1))))), "function f: variable i is bound twice");
  EXPECT_EQ(check(for_(i, 0, 4, allocate(t, store(t, {0}, f32(1))))),
            "function f: the shape of buffer t uses i, which is no size of the function");
  EXPECT_EQ(check(allocate(u, allocate(u, store(u, {0}, f32(1))))), "function f: buffer u is declared twice");
  // A node with a type that its operands do not give.
  Expr wrong(
      std::make_shared<const ExprNode>(ExprNode{DType::f32(), Binary{BinaryOp::kAdd, f32(1), fimm(DType::f64(), 1)}}));
  EXPECT_EQ(check(store(a, {0}, wrong)), "function f: operands of a binary operator differ: f32 and f64");
  Expr large(std::make_shared<const ExprNode>(ExprNode{DType::i8(), IntImm{300}}));
  EXPECT_EQ(check(evaluate(large)), "function f: constant 300 does not fit i8");
}

TEST(Verify, ModuleNames) {
  Result<Module> m = parse_module("func f(A: f32[1]) { A[0] = 1f32 } func f(A: f32[1]) { A[0] = 1f32 }");
  ASSERT_TRUE(m);
  EXPECT_EQ(verify(*m, Level::kGraph).error().message, "two functions are named f");
}

}  // namespace
}  // namespace mlc::ir
