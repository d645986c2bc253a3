#include "ir/random_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "ir/text.h"
#include "ir/verify.h"
#include "ir/visit.h"

namespace mlc::ir {
namespace {

int num_cases(int fallback) {
  const char* env = std::getenv("MLC_PROPERTY_CASES");
  return env ? std::max(1, std::atoi(env)) : fallback;
}

void expect_same_result(const PrimFunc& a, const PrimFunc& b, const RandomProgram& p, uint64_t seed) {
  auto x = p.buffers, y = p.buffers;
  Result<void> ra = interpret(a, raw_buffers(x), p.sizes), rb = interpret(b, raw_buffers(y), p.sizes);
  ASSERT_TRUE(ra) << "seed " << seed << "\n" << ra.error().message << "\n" << print(a);
  ASSERT_TRUE(rb) << "seed " << seed << "\n" << rb.error().message << "\n" << print(b);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(first_difference(a.buffers[i]->dtype, x[i], y[i]), -1) << "seed " << seed << "\n" << print(a) << print(b);
  }
}

TEST(RandomProgram, IsWellFormedAndRoundTrips) {
  int changed_outputs = 0;
  const int cases = num_cases(400);
  for (int c = 0; c < cases; ++c) {
    const uint64_t seed = static_cast<uint64_t>(c);
    RandomOptions options;
    options.lowered = c % 2 == 0;
    options.inexact = c % 3 == 0;
    const RandomProgram p = random_program(seed, options);
    Result<void> ok = verify(p.func, options.lowered ? Level::kLowered : Level::kScheduled);
    ASSERT_TRUE(ok) << "seed " << seed << "\n" << ok.error().message << "\n" << print(p.func);
    const std::string text = print(p.func);
    Result<PrimFunc> back = parse_func(text);
    ASSERT_TRUE(back) << back.error().message << "\n" << text;
    std::string why;
    ASSERT_TRUE(structural_equal(p.func, *back, &why)) << why;
    ASSERT_EQ(print(*back), text);
    expect_same_result(p.func, *back, p, seed);
    PrimFunc fresh = p.func;
    fresh.body = refresh(p.func.body);
    ASSERT_TRUE(structural_equal(p.func, fresh, &why)) << why;
    auto data = p.buffers;
    ASSERT_TRUE(interpret(p.func, raw_buffers(data), p.sizes));
    changed_outputs += data != p.buffers;
  }
  EXPECT_GT(changed_outputs, cases * 9 / 10);
}

TEST(RandomProgram, SeedsDecideEverything) {
  EXPECT_EQ(print(random_program(5).func), print(random_program(5).func));
  EXPECT_EQ(random_program(5).buffers, random_program(5).buffers);
  EXPECT_NE(print(random_program(5).func), print(random_program(6).func));
}

// Between them the programs hold every kind of expression.
TEST(RandomProgram, CoversTheExpressions) {
  std::set<size_t> exprs, stmts;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    RandomOptions options;
    options.lowered = false;
    const RandomProgram p = random_program(seed, options);
    for_each_expr(p.func.body, [&](const Expr& e) { exprs.insert(e->kind.index()); });
    for_each_stmt(p.func.body, [&](const Stmt& s) { stmts.insert(s->kind.index()); });
  }
  EXPECT_EQ(exprs.size(), std::variant_size_v<decltype(ExprNode::kind)>);
  EXPECT_EQ(stmts.size(), std::variant_size_v<decltype(StmtNode::kind)> - 1);  // all but Barrier
}

TEST(FirstDifference, ComparesValues) {
  auto bytes = [](std::vector<float> v) {
    std::vector<uint8_t> b(v.size() * 4);
    std::memcpy(b.data(), v.data(), b.size());
    return b;
  };
  EXPECT_EQ(first_difference(DType::f32(), bytes({1, NAN, 0.0f}), bytes({1, -NAN, -0.0f})), -1);
  EXPECT_EQ(first_difference(DType::f32(), bytes({1, 2}), bytes({1, 3})), 1);
  EXPECT_EQ(first_difference(DType::f32(), bytes({1}), bytes({1 + 0x1p-23f})), 0);
  EXPECT_EQ(first_difference(DType::f32(), bytes({1}), bytes({1 + 0x1p-23f}), 1), -1);
  EXPECT_EQ(first_difference(DType::f32(), bytes({1}), bytes({1 + 0x1p-21f}), 1), 0);
  EXPECT_EQ(first_difference(DType::i8(), {1, 2}, {1, 3}), 1);
}

}  // namespace
}  // namespace mlc::ir
