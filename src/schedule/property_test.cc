// Random schedules keep meaning: random instructions on the functions of the golden cases, interpreted before and
// after. MLC_PROPERTY_CASES sets how many schedules (500 by default), MLC_PROPERTY_SEED where they start.
#include <gtest/gtest.h>

#include <map>

#include "schedule/fuzzer.h"
#include "schedule/testing.h"

namespace mlc::schedule {
namespace {

using namespace ir;  // NOLINT

void check_replay(const PrimFunc& before, const Schedule& s) {
  auto trace = parse_trace(print(s.trace()));
  ASSERT_TRUE(trace) << trace.error().message;
  auto again = replay(before, *trace);
  ASSERT_TRUE(again) << again.error().message;
  std::string why;
  ASSERT_TRUE(structural_equal(again->func(), s.func(), &why)) << why;
}

TEST(Property, RandomSchedulesKeepMeaning) {
  const int cases = testing::setting("MLC_PROPERTY_CASES", 500), seed = testing::setting("MLC_PROPERTY_SEED", 0);
  std::vector<PrimFunc> functions;
  for (const char* name : testing::kFunctions) functions.push_back(testing::golden_function(name));
  std::map<std::string, std::pair<int, int>> outcomes;  // accepted, refused
  for (int i = seed; i < seed + cases; ++i) {
    std::mt19937 rng(static_cast<unsigned>(i));
    const PrimFunc& before = functions[rng() % functions.size()];
    Schedule s(before);
    testing::Fuzzer fuzzer(s, rng);
    const int steps = 1 + static_cast<int>(rng() % 10);
    for (int k = 0; k < steps; ++k) {
      const Instruction instruction = fuzzer.next();
      const std::string name = std::visit([](const auto& x) { return std::string(x.kName); }, instruction);
      const Stmt body = s.func().body;
      const size_t recorded = s.trace().steps.size();
      auto r = s.run(instruction);
      if (r) {
        ++outcomes[name].first;
        continue;
      }
      ++outcomes[name].second;
      ASSERT_TRUE(s.func().body.same_as(body) && s.trace().steps.size() == recorded)
          << "a refused " << name << " left a mark";
      const std::string& m = r.error().message;
      const bool names_it = m.find("loop ") != std::string::npos || m.find("block ") != std::string::npos ||
                            m.find("l-1") != std::string::npos || m.find("no loops are given") != std::string::npos;
      EXPECT_TRUE(names_it) << m;
    }
    const std::string told = "case " + std::to_string(i) + "\n" + print(s.trace()) + print(s.func());
    auto verified = verify(s.func(), Level::kScheduled);
    ASSERT_TRUE(verified) << verified.error().message << "\n" << told;
    const int64_t size = 1 + static_cast<int64_t>(rng() % 9);
    ASSERT_TRUE(testing::same_meaning(before, s.func(), std::vector<int64_t>(before.sizes.size(), size),
                                      static_cast<unsigned>(i)))
        << told;
    const PrimFunc adverse = testing::adverse(s.func());
    ASSERT_TRUE(testing::same_meaning(before, adverse, std::vector<int64_t>(before.sizes.size(), size),
                                      static_cast<unsigned>(i)))
        << "on an adverse machine: " << told << print(adverse);
    check_replay(before, s);
    if (HasFatalFailure()) FAIL() << told;
  }
  for (const auto& [name, n] : outcomes)
    RecordProperty(name, std::to_string(n.first) + " of " + std::to_string(n.first + n.second));
  if (cases < 500) return;
  for (const char* name :
       {"split", "fuse", "reorder", "parallel", "vectorize", "unroll", "bind", "compute_at", "reverse_compute_at",
        "compute_inline", "reverse_compute_inline", "cache_read", "cache_write", "decompose_reduction", "rfactor",
        "blockize", "set_scope", "transform_layout", "pad_einsum"}) {
    EXPECT_GT(outcomes[name].first, 0) << name << " was never legal (" << outcomes[name].second << " refusals)";
  }
}

}  // namespace
}  // namespace mlc::schedule
