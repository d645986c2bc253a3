// Random variables in traces: drawn, mutated, replayed; rules that take decisions.
#include "schedule/sampling.h"

#include <gtest/gtest.h>

#include <set>

#include "schedule/fuzzer.h"
#include "schedule/rules/rules.h"
#include "schedule/testing.h"

namespace mlc::schedule {
namespace {

using namespace ir;  // NOLINT

// A matmul whose column tiles and row lanes are random variables.
Schedule tiled() {
  Schedule s(testing::golden_function("split_divides"));
  const BlockRef c = *s.block("C");
  const std::vector<LoopRef> l = *s.loops(c);
  const std::vector<ValueRef> tile = *s.sample_perfect_tile("columns", l[1], 16, {6, 8});
  const ValueRef rows = *s.sample_categorical("rows", {2, 4, 8}, {0.5, 0.25, 0.25}, 4);
  EXPECT_TRUE(s.split(l[1], {tile[0], tile[1]}));
  EXPECT_TRUE(s.split(l[0], {-1, rows}));
  EXPECT_EQ(s.value(tile[1]), 8);
  EXPECT_EQ(s.value(rows), 4);
  return s;
}

TEST(Sampling, PerfectTilesAreAllFactorizations) {
  EXPECT_EQ(perfect_tiles(12, 2, 4), (std::vector<std::vector<int64_t>>{{3, 4}, {4, 3}, {6, 2}, {12, 1}}));
  EXPECT_EQ(perfect_tiles(7, 1, 7), (std::vector<std::vector<int64_t>>{{7}}));
  EXPECT_TRUE(perfect_tiles(7, 1, 6).empty());
  EXPECT_TRUE(perfect_tiles(0, 2, 4).empty());
  for (const auto& t : perfect_tiles(48, 3, 48)) EXPECT_EQ(t[0] * t[1] * t[2], 48);
  EXPECT_EQ(perfect_tiles(48, 3, 48).size(), 45u);  // choose(4 + 2, 2) * choose(1 + 2, 2)
}

TEST(Sampling, TheTraceDescribesTheSpace) {
  const Schedule s = tiled();
  EXPECT_EQ(decisions_of(s.trace()), (Decisions{{"columns", {8}}, {"rows", {4}}}));
  const std::vector<RandomVariable> v = random_variables(s.trace());
  ASSERT_EQ(v.size(), 2u);
  EXPECT_EQ(v[0].name, "columns");
  EXPECT_EQ(v[0].values, (std::vector<std::vector<int64_t>>{{16}, {12}, {8}, {6}, {4}, {3}, {2}, {1}}));
  EXPECT_EQ(v[1].values, (std::vector<std::vector<int64_t>>{{2}, {4}, {8}}));
  EXPECT_EQ(v[1].probabilities, (std::vector<double>{0.5, 0.25, 0.25}));
  EXPECT_EQ(print(decisions_of(s.trace())), "columns=8 rows=4");
}

TEST(Sampling, MutationChangesOneDecisionAndSamplingReachesAll) {
  const Schedule s = tiled();
  const Decisions before = decisions_of(s.trace());
  std::mt19937_64 rng(3);
  std::set<std::string> mutated, sampled;
  for (int i = 0; i < 300; ++i) {
    const Decisions d = mutate(s.trace(), rng);
    EXPECT_EQ((d.at("rows") != before.at("rows")) + (d.at("columns") != before.at("columns")), 1);
    mutated.insert(print(d));
    sampled.insert(print(sample(s.trace(), rng)));
  }
  EXPECT_EQ(mutated.size(), 2u + perfect_tiles(48, 2, 16).size() - 1);
  EXPECT_EQ(sampled.size(), 3u * perfect_tiles(48, 2, 16).size());
}

TEST(Sampling, ATraceReplaysWithOtherDecisions) {
  const Schedule s = tiled();
  const PrimFunc before = testing::golden_function("split_divides");
  std::mt19937_64 rng(5);
  for (int i = 0; i < 20; ++i) {
    const Decisions d = sample(s.trace(), rng);
    auto trace = parse_trace(print(with_decisions(s.trace(), d)));
    ASSERT_TRUE(trace) << trace.error().message;
    auto other = replay(before, *trace);
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ(decisions_of(other->trace()), d);
    // The splits took the sampled factors.
    const std::string text = print(other->func());
    EXPECT_NE(text.find(fmt::format("0 +: {} {{", d.at("columns")[0])), std::string::npos) << text;
    EXPECT_TRUE(testing::same_meaning(before, other->func(), {7}, 1)) << text;
  }
}

TEST(Sampling, WrongTracesAreRefused) {
  const PrimFunc f = testing::golden_function("split_divides");
  const std::pair<const char*, const char*> cases[] = {
      {"v0 = sample_categorical(\"a\", [1, 1], [0.5, 0.5], 1)", "given twice"},
      {"v0 = sample_categorical(\"a\", [1, 2], [0.5], 1)", "1 probabilities for 2"},
      {"v0 = sample_categorical(\"a\", [1, 2], [0.5, 0.6], 1)", "add up to 1.1"},
      {"v0 = sample_categorical(\"a\", [1, 2], [-1, 2], 1)", "-1 is no probability"},
      {"v0 = sample_categorical(\"\", [1], [1], 1)", "no name"},
      {"v0 = sample_categorical(\"a\", [], [], 1)", "add up to 0"},
      {"v0 = sample_categorical(\"a\", [1], [x], 1)", "expected a number"},
      {"b0 = block(\"C\")\nl0, l1, l2 = loops(b0)\nsample_perfect_tile(\"a\", l1, 8, [])", "no parts"},
      {"b0 = block(\"C\")\nl0, l1, l2 = loops(b0)\nv0, v1 = sample_perfect_tile(\"a\", l1, 8, [3, 16])", "at most 8"},
      {"b0 = block(\"C\")\nl0, l1, l2 = loops(b0)\nv0, v1 = sample_perfect_tile(\"a\", l1, 8, [3, 8])", "is not 48"},
      {"b0 = block(\"C\")\nl0, l1, l2 = loops(b0)\nl3, l4 = split(l1, [-1, v0])", "v0 is used before"},
      {"b0 = block(\"C\")\nl0, l1, l2 = loops(b0)\nl3, l4 = split(l1, [-1, l2])", "expected a number"},
  };
  for (const auto& [text, says] : cases) {
    auto trace = parse_trace(text);
    const std::string message =
        trace ? replay(f, *trace) ? "" : replay(f, *trace).error().message : trace.error().message;
    EXPECT_NE(message.find(says), std::string::npos) << text << "\n" << message;
  }
}

TEST(Sampling, ARuleTakesWhatIsDecidedOrWhatWasChosenByHand) {
  Schedule s(testing::golden_function("split_divides"));
  EXPECT_EQ(choose(s, {}, {"a", {1, 2, 4}}, 2).value(), 2);
  EXPECT_EQ(choose(s, {{"b", {4}}}, {"b", {1, 2, 4}}, 2).value(), 4);
  auto no_candidate = choose(s, {{"c", {3}}}, {"c", {1, 2, 4}}, 2);
  ASSERT_FALSE(no_candidate);
  EXPECT_NE(no_candidate.error().message.find("3 is no candidate"), std::string::npos);
  EXPECT_FALSE(choose(s, {{"d", {1, 2}}}, {"d", {1, 2, 4}}, 2));
  const LoopRef columns = s.loops(*s.block("C"))->at(1);
  EXPECT_EQ(choose_tile(s, {}, "t", columns, 16, {16}).value(), (std::vector<int64_t>{3, 16}));
  EXPECT_EQ(choose_tile(s, {{"u", {8}}}, "u", columns, 16, {16}).value(), (std::vector<int64_t>{6, 8}));
  EXPECT_EQ(choose_tile(s, {{"w", {2, 4}}}, "w", columns, 16, {1, 1}).value(), (std::vector<int64_t>{6, 2, 4}));
  // 48 is too large, 5 and 2^40 do not divide, 0 and -8 are no factors, two parts are one too many.
  for (const std::vector<int64_t>& bad : {std::vector<int64_t>{48}, {5}, {int64_t{1} << 40}, {0}, {-8}, {6, 8}, {}}) {
    EXPECT_FALSE(choose_tile(s, {{"v", bad}}, "v", columns, 16, {16})) << bad.size();
  }
  EXPECT_FALSE(choose_tile(s, {}, "x", s.loops(*s.block("C"))->at(0), 16, {1})) << "no constant extent";
  EXPECT_EQ(decisions_of(s.trace()), (Decisions{{"a", {2}}, {"b", {4}}, {"t", {16}}, {"u", {8}}, {"w", {2, 4}}}));
}

TEST(Sampling, DecisionsThatDoNotFitAreLeftAside) {
  Module m;
  m.functions.push_back(testing::golden_function("split_divides"));
  m.functions[0].attrs["rule"] = std::string("explicit");
  EXPECT_FALSE(schedule_func(m.functions[0], target::Target::host(), {{"lanes", {8}}}));
  auto by_hand = schedule_all(m, target::Target::host());
  auto tuned = schedule_all(m, target::Target::host(), [](const PrimFunc&) { return Decisions{{"lanes", {8}}}; });
  ASSERT_TRUE(by_hand);
  ASSERT_TRUE(tuned) << tuned.error().message;
  EXPECT_TRUE(structural_equal(*by_hand, *tuned));
}

}  // namespace
}  // namespace mlc::schedule
