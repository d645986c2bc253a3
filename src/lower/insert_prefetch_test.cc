// Hints to prefetch: where they stand, how many, and that the function does the same.
#include "lower/insert_prefetch.h"

#include "ir/loop_hints.h"
#include "lower/test_support.h"

namespace mlc::lower {
namespace {

TEST(InsertPrefetch, OncePerVectorAndIterationInTheInnermostLoop) {
  const ir::PrimFunc f = parse(R"(
    func f(w: f32[8, 4, 16], x: f32[8, 4, 16]) {
      for i in 0 +: 8 attrs {prefetch_w = 2} {
        for k in 0 +: 4 {
          x[i, k, ramp(0, 1, 16)] = w[i, k, ramp(0, 1, 16)] * w[i, k, ramp(0, 1, 16)]
          x[i, k, 0] = x[i, k, 0] + x[i, k, 1]
        }
      }
    })");
  const ir::PrimFunc after = insert_prefetch(f);
  const std::string text = ir::print(after);
  EXPECT_EQ(text.find("attrs"), std::string::npos) << text;
  int hints = 0;
  ir::for_each_stmt(after.body, [&](const ir::Stmt& s) {
    const auto* p = ir::as<ir::Prefetch>(s);
    if (p == nullptr) return;
    ++hints;
    EXPECT_EQ(p->buffer->name, "w");
    EXPECT_EQ(ir::print(ir::Expr(p->indices[0])), "i + 2");
    EXPECT_EQ(ir::print(ir::Expr(p->indices[2])), "0");
  });
  EXPECT_EQ(hints, 1);
  expect_same(f, after, {});
}

TEST(InsertPrefetch, KeptLoopsHoldHintsForWhatTheyRead) {
  const ir::PrimFunc f = parse(R"(
    func f(w: f32[8, 4, 16], v: f32[8, 16], x: f32[8, 4, 16]) {
      for i in 0 +: 8 attrs {prefetch_v = 1, prefetch_w = 2} {
        for p in 0 +: 4 attrs {keep_loop = 1} {
          x[i, p, ramp(0, 1, 16)] = w[i, p, ramp(0, 1, 16)]
        }
        x[i, 0, ramp(0, 1, 16)] = x[i, 0, ramp(0, 1, 16)] + v[i, ramp(0, 1, 16)]
      }
    })");
  const ir::PrimFunc after = insert_prefetch(f);
  ASSERT_TRUE(ir::verify(after, ir::Level::kLowered)) << ir::print(after);
  const ir::For* outer = ir::as<ir::For>(after.body);
  ASSERT_NE(outer, nullptr);
  const auto hints = [](const ir::Stmt& s) {
    std::string names;
    ir::for_each_stmt(s, [&](const ir::Stmt& x) {
      if (const auto* p = ir::as<ir::Prefetch>(x)) names += p->buffer->name;
    });
    return names;
  };
  EXPECT_EQ(hints(after.body), "vw");
  ir::for_each_stmt(outer->body, [&](const ir::Stmt& x) {
    if (ir::as<ir::For>(x)) {
      EXPECT_EQ(hints(x), "w");
    }
  });
  expect_same(f, after, {});
}

TEST(InsertPrefetch, OncePerCacheLineAndForKeptLoopsInARow) {
  const ir::PrimFunc f = parse(R"(
    func f(w: f32[8, 4, 16], x: f32[8, 4, 16], y: f32[8, 4, 16]) {
      for i in 0 +: 8 attrs {prefetch_w = 2} {
        for p in 0 +: 4 attrs {keep_loop = 1} {
          x[i, p, ramp(0, 1, 8)] = w[i, p, ramp(0, 1, 8)]
          x[i, p, ramp(8, 1, 8)] = w[i, p, ramp(8, 1, 8)]
        }
        for q in 0 +: 4 attrs {keep_loop = 1} {
          y[i, q, ramp(0, 1, 8)] = w[i, q, ramp(0, 1, 8)]
        }
        for q in 0 +: 2 attrs {keep_loop = 1} {
          y[i, q, ramp(0, 1, 8)] = w[i, q, ramp(0, 1, 8)]
        }
      }
    })");
  const ir::PrimFunc after = insert_prefetch(f);
  std::string hints;
  ir::for_each_stmt(after.body, [&](const ir::Stmt& s) {
    if (const auto* p = ir::as<ir::Prefetch>(s)) hints += ir::print(p->indices[1]) + ir::print(p->indices[2]) + " ";
  });
  EXPECT_EQ(hints, "p0 q0 ") << ir::print(after);  // the last loop has another range
  expect_same(f, after, {});
}

// Tiles of rows share what is asked for: the first one asks.
TEST(InsertPrefetch, OnceForAllRows) {
  ir::PrimFunc f = parse(R"(
    func f<rows>(w: f32[8, 4, 16], x: f32[rows, 8, 16]) {
      for i in 0 +: 8 attrs {prefetch_w = 1} {
        for m in 0 +: rows {
          alloc sum: f32[16] local {
            sum[ramp(0, 1, 16)] = broadcast(0f32, 16)
            for k in 0 +: 4 {
              sum[ramp(0, 1, 16)] = sum[ramp(0, 1, 16)] + w[i, k, ramp(0, 1, 16)]
            }
            x[m, i, ramp(0, 1, 16)] = sum[ramp(0, 1, 16)]
          }
        }
      }
    })");
  const auto hints = [](const ir::PrimFunc& g) {
    int n = 0;
    ir::for_each_stmt(g.body, [&](const ir::Stmt& s) { n += ir::as<ir::Prefetch>(s) != nullptr; });
    return n;
  };
  const auto row_loops = [](const ir::PrimFunc& g) {
    std::string extents;
    ir::for_each_stmt(g.body, [&](const ir::Stmt& s) {
      const ir::For* loop = ir::as<ir::For>(s);
      if (loop && loop->var.name() == "m") extents += ir::print(loop->extent) + ";";
    });
    return extents;
  };
  const ir::PrimFunc few = insert_prefetch(f);
  EXPECT_EQ(hints(few), 1);
  EXPECT_EQ(row_loops(few), "rows;");
  f.attrs[ir::kManyRowsKey] = int64_t{1};
  const ir::PrimFunc many = insert_prefetch(f);
  EXPECT_EQ(hints(many), 1) << ir::print(many);
  EXPECT_EQ(row_loops(many), "min(rows, 1);rows - min(rows, 1);");
  for (const int64_t rows : {1, 2, 5}) expect_same(f, many, {rows});
}

}  // namespace
}  // namespace mlc::lower
