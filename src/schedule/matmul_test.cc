// The CPU matmul with 4-bit weights, scheduled from the general instructions up to the VNNI dot product.
#include <gtest/gtest.h>

#include "schedule/schedule.h"
#include "schedule/testing.h"

namespace mlc::schedule {
namespace {

using namespace ir;  // NOLINT

constexpr int64_t kN = 64, kK = 64, kGroup = 32;

// code: decode, dot: integer sums per group, scale: float sums over groups, out: the residual.
PrimFunc quantized_matmul() {
  Var m = var("M");
  Buffer w = buffer("W", DType::u8(), {kN / 16, kK / kGroup, 4, 16, 4});
  Buffer ws = buffer("Ws", DType::f32(), {kN, kK / kGroup});
  Buffer aq = buffer("Aq", DType::i8(), {m, kK});
  Buffer as = buffer("As", DType::f32(), {m, kK / kGroup});
  Buffer az = buffer("Az", DType::i32(), {m, kK / kGroup});
  Buffer r = buffer("R", DType::f32(), {m, kN}), y = buffer("Y", DType::f32(), {m, kN});
  Buffer code = buffer("Code", DType::u8(), {kN, kK / kGroup, kGroup});
  Buffer d = buffer("D", DType::i32(), {m, kN, kK / kGroup}), c = buffer("C", DType::f32(), {m, kN});
  Stmt decode = block("code", {{"n", kN}, {"g", kK / kGroup}, {"k", kGroup}}, [&](const std::vector<Var>& v) {
    Expr n = v[0], g = v[1], k = v[2];
    Expr byte = load(w, {floordiv(n, 16), g, floordiv(k, 8), floormod(n, 16), floormod(k, 4)});
    Expr shift = cast(DType::u8(), floormod(floordiv(k, 4), 2) * 4);
    return BlockBody{{}, store(code, {n, g, k}, (byte >> shift) & imm(DType::u8(), 15))};
  });
  Stmt dot = block("dot", {{"m", m}, {"n", kN}, {"g", kK / kGroup}, {"k", kGroup, IterKind::kReduce}},
                   [&](const std::vector<Var>& v) {
                     Expr a = cast(DType::i32(), load(code, {v[1], v[2], v[3]}));
                     Expr b = cast(DType::i32(), load(aq, {v[0], v[2] * Expr(kGroup) + v[3]}));
                     std::vector<Expr> at = {v[0], v[1], v[2]};
                     return BlockBody{store(d, at, load(az, {v[0], v[2]})), store(d, at, load(d, at) + a * b)};
                   });
  Stmt scale =
      block("scale", {{"m", m}, {"n", kN}, {"g", kK / kGroup, IterKind::kReduce}}, [&](const std::vector<Var>& v) {
        Expr s = load(as, {v[0], v[2]}) * load(ws, {v[1], v[2]});
        Expr term = cast(DType::f32(), load(d, {v[0], v[1], v[2]})) * s;
        return BlockBody{store(c, {v[0], v[1]}, f32(0)), store(c, {v[0], v[1]}, load(c, {v[0], v[1]}) + term)};
      });
  Stmt out = block("out", {{"m", m}, {"n", kN}}, [&](const std::vector<Var>& v) {
    return BlockBody{{}, store(y, {v[0], v[1]}, load(c, {v[0], v[1]}) + load(r, {v[0], v[1]}))};
  });
  Stmt body = seq({decode, dot, scale, out});
  for (const Buffer& b : {code, d, c}) body = allocate(b, body);
  return {"matmul", {w, ws, aq, as, az, r, y}, {m}, body, {}};
}

#define OK(x)                                            \
  do {                                                   \
    auto ok_result = (x);                                \
    ASSERT_TRUE(ok_result) << ok_result.error().message; \
  } while (0)
template <typename T>
T get(Result<T> r) {
  EXPECT_TRUE(r) << r.error().message;
  return r ? std::move(*r) : T{};
}

// Rows per tile, 16-column blocks per iteration.
void schedule_it(Schedule& s, int64_t rows, int64_t blocks) {
  const BlockRef code = get(s.block("code")), dot = get(s.block("dot")), scale = get(s.block("scale")),
                 out = get(s.block("out"));
  // Tiles of the float sums: n0 outside, then rows, then groups.
  auto l = get(s.loops(scale));
  ASSERT_EQ(l.size(), 3u);
  auto mt = get(s.split(l[0], {-1, rows}));
  auto nt = get(s.split(l[1], {-1, blocks, 16}));
  OK(s.reorder({nt[0], mt[0], l[2], mt[1], nt[1], nt[2]}));
  OK(s.compute_at(dot, l[2]));
  OK(s.compute_at(code, l[2]));
  OK(s.reverse_compute_at(out, mt[0]));
  OK(s.set_scope(dot, "D", Scope::kLocal));
  OK(s.set_scope(scale, "C", Scope::kLocal));
  OK(s.set_scope(code, "Code", Scope::kLocal));
  OK(s.transform_layout(code, "Code", IndexMap::from(3, [](const std::vector<Var>& i) {
                          return std::vector<Expr>{floordiv(i[0], 16), i[1], floordiv(i[2], 4), floormod(i[0], 16),
                                                   floormod(i[2], 4)};
                        })));
  OK(s.transform_layout(
      dot, "D", IndexMap::from(3, [](const std::vector<Var>& i) { return std::vector<Expr>{i[2], i[0], i[1]}; })));
  OK(s.parallel(nt[0]));
  OK(s.decompose_reduction(scale, l[2]));
  OK(s.unroll(mt[1]));
  OK(s.unroll(nt[1]));
  OK(s.vectorize(nt[2]));

  // The dot product under the group: [m] n k -> m, n0, k0, 16 x 4.
  auto dl = get(s.loops(dot));
  const LoopRef dk = dl.back(), dn = dl[dl.size() - 2];
  auto dnt = get(s.split(dn, {blocks, 16}));
  auto dkt = get(s.split(dk, {-1, 4}));
  OK(s.reorder({dnt[0], dkt[0], dnt[1], dkt[1]}));
  OK(s.decompose_reduction(dot, dkt[0]));
  const BlockRef tensor = get(s.tensorize(dnt[1], "dot_u8s8_vnni512"));
  EXPECT_NE(s.find(tensor), nullptr);
  OK(s.unroll(dkt[0]));
  OK(s.unroll(dnt[0]));
  auto init = get(s.loops(get(s.block("dot_init"))));
  OK(s.vectorize(init.back()));
  auto cl = get(s.loops(code));
  auto cn = get(s.split(cl[cl.size() - 2], {-1, 16}));
  (void)cn;
}

TEST(CpuMatmul, FromBlocksToVnni) {
  const PrimFunc before = quantized_matmul();
  auto graph = verify(before, Level::kGraph);
  ASSERT_TRUE(graph) << graph.error().message;
  for (auto [rows, blocks] : {std::pair<int64_t, int64_t>{1, 4}, {4, 2}, {3, 1}}) {
    Schedule s(before);
    schedule_it(s, rows, blocks);
    if (HasFatalFailure()) FAIL() << print(s.func()) << print(s.trace());
    auto verified = verify(s.func(), Level::kScheduled);
    EXPECT_TRUE(verified) << verified.error().message;
    for (int64_t m : {1, 3, 4, 17}) {
      EXPECT_TRUE(testing::same_meaning(before, s.func(), {m}, 3)) << print(s.func());
      EXPECT_TRUE(testing::same_meaning(before, testing::adverse(s.func()), {m}, 3));
    }
    auto parsed = parse_trace(print(s.trace()));
    ASSERT_TRUE(parsed) << parsed.error().message;
    auto again = replay(before, *parsed);
    ASSERT_TRUE(again) << again.error().message;
    std::string why;
    EXPECT_TRUE(structural_equal(again->func(), s.func(), &why)) << why;
  }
}

TEST(CpuMatmul, TensorizeSaysWhatDiffers) {
  Schedule s(quantized_matmul());
  const BlockRef dot = get(s.block("dot"));
  auto l = get(s.loops(dot));
  auto k = get(s.split(l[3], {-1, 4}));
  auto n = get(s.split(l[1], {-1, 16}));
  OK(s.reorder({l[0], n[0], l[2], k[0], n[1], k[1]}));
  auto with_init = s.tensorize(n[1], "dot_u8s8_vnni512");
  ASSERT_FALSE(with_init);
  EXPECT_NE(with_init.error().message.find("still has its init"), std::string::npos) << with_init.error().message;
  OK(s.decompose_reduction(dot, k[0]));
  OK(s.transform_layout(
      dot, "D", IndexMap::from(3, [](const std::vector<Var>& i) { return std::vector<Expr>{i[2], i[0], i[1]}; })));
  // Code[n, g, k]: 16 columns are not neighbours.
  auto layout = s.tensorize(n[1], "dot_u8s8_vnni512");
  ASSERT_FALSE(layout);
  EXPECT_NE(layout.error().message.find("elements of Code"), std::string::npos) << layout.error().message;
  auto other = s.tensorize(k[1], "dot_u8s8_vnni512");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("the loops run 4, dot_u8s8_vnni512 needs 16 x 4"), std::string::npos)
      << other.error().message;
}

}  // namespace
}  // namespace mlc::schedule
