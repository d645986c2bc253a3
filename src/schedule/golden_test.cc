// Runs tests/golden/schedule/*.tir. A case is text in sections:
//
//   === before      a function
//   === trace       instructions
//   === after       the function that they make     (or)
//   === error       the message with which the last instruction is refused
//
// After a successful case both functions are interpreted on random data and must agree, and the trace must print, parse
// and replay to the same function. MLC_UPDATE_GOLDENS=1 rewrites the last section.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "../tests/support/source_dir.h"
#include "base/knobs.h"
#include "schedule/schedule.h"
#include "schedule/testing.h"

namespace mlc::schedule {
namespace {

using ir::PrimFunc;

std::filesystem::path golden_dir() { return mlc::testing::source_file("tests/golden/schedule"); }

struct Case {
  std::string before, trace, after, error;
};

Case read_case(const std::filesystem::path& path) {
  std::ifstream in(path);
  Case c;
  std::string line, *section = nullptr;
  while (std::getline(in, line)) {
    if (line.rfind("=== ", 0) == 0) {
      const std::string name = line.substr(4);
      section = name == "before" ? &c.before : name == "trace" ? &c.trace : name == "after" ? &c.after : &c.error;
    } else if (section) {
      *section += line + "\n";
    }
  }
  return c;
}

void write_case(const std::filesystem::path& path, const Case& c) {
  std::ofstream out(path);
  out << "=== before\n" << c.before << "=== trace\n" << c.trace;
  if (c.error.empty()) {
    out << "=== after\n" << c.after;
  } else {
    out << "=== error\n" << c.error;
  }
}

void check_kept(const PrimFunc& before, const Schedule& s) {
  for (int64_t size : {1, 3, 17}) {
    EXPECT_TRUE(testing::same_meaning(before, s.func(), std::vector<int64_t>(before.sizes.size(), size), 7));
    EXPECT_TRUE(
        testing::same_meaning(before, testing::adverse(s.func()), std::vector<int64_t>(before.sizes.size(), size), 8));
  }
  auto verified = ir::verify(s.func(), ir::Level::kScheduled);
  EXPECT_TRUE(verified) << verified.error().message;
  auto parsed = parse_trace(print(s.trace()));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(print(*parsed), print(s.trace()));
  auto again = replay(before, *parsed);
  ASSERT_TRUE(again) << again.error().message;
  std::string why;
  EXPECT_TRUE(ir::structural_equal(again->func(), s.func(), &why)) << why;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, Case) {
  const std::filesystem::path path = golden_dir() / (GetParam() + ".tir");
  Case c = read_case(path);
  auto before = ir::parse_func(c.before, path.string());
  ASSERT_TRUE(before) << before.error().message;
  auto trace = parse_trace(c.trace);
  ASSERT_TRUE(trace) << trace.error().message;
  auto s = replay(*before, *trace);
  Case now = c;
  now.after = s ? ir::print(s->func()) : "";
  now.error = s ? "" : s.error().message + "\n";
  if (knob_int("MLC_UPDATE_GOLDENS") == 1) {
    write_case(path, now);
  } else {
    EXPECT_EQ(now.error, c.error);
    EXPECT_EQ(now.after, c.after);
  }
  if (s) check_kept(*before, *s);
}

std::vector<std::string> all_cases() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir())) {
    if (entry.path().extension() == ".tir") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

INSTANTIATE_TEST_SUITE_P(Schedule, Golden, ::testing::ValuesIn(all_cases()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace mlc::schedule
