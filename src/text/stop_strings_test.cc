#include "text/stop_strings.h"

#include <gtest/gtest.h>

#include <random>

namespace mlc::text {
namespace {

struct Outcome {
  std::string text;
  std::optional<std::string> matched;
  bool operator==(const Outcome&) const = default;
};

Outcome run(const std::vector<std::string>& stops, const std::vector<std::string>& pieces, bool keep = false) {
  StopStringMatcher matcher(stops, keep);
  Outcome out;
  for (const std::string& piece : pieces) {
    StopResult r = matcher.feed(piece);
    out.text += r.text;
    if (r.matched) out.matched = r.matched;
  }
  out.text += matcher.flush();
  return out;
}

TEST(StopStringsTest, NothingOfAStopStringGetsOut) {
  StopStringMatcher m({"</s>", "\nUser:"});
  EXPECT_EQ(m.feed("Hello\nUs").text, "Hello");
  EXPECT_EQ(m.feed("eful").text, "\nUseful");
  EXPECT_EQ(m.feed(" <").text, " ");
  EXPECT_EQ(m.feed("/").text, "");
  StopResult r = m.feed("s> more");
  EXPECT_TRUE(r.stopped);
  EXPECT_EQ(r.text, "");
  EXPECT_EQ(r.matched, "</s>");
  EXPECT_EQ(m.feed("later").text, "");
  EXPECT_TRUE(m.stopped());
}

TEST(StopStringsTest, WhatWaitedIsTextAtTheEnd) { EXPECT_EQ(run({"abc"}, {"xab"}), (Outcome{"xab", {}})); }

TEST(StopStringsTest, TheFirstToBeCompleteWins) {
  EXPECT_EQ(run({"abcd", "bc"}, {"abcd"}), (Outcome{"a", "bc"}));
  EXPECT_EQ(run({"c", "bc"}, {"abcd"}), (Outcome{"a", "bc"}));
  EXPECT_EQ(run({"aab"}, {"a", "a", "a", "b"}), (Outcome{"a", "aab"}));
  EXPECT_EQ(run({"", "x"}, {"ax"}), (Outcome{"a", "x"}));
  EXPECT_EQ(run({"x"}, {"axb"}, true), (Outcome{"ax", "x"}));
  EXPECT_EQ(run({}, {"any", "thing"}), (Outcome{"anything", {}}));
}

// However the text is cut, the outcome is that of one character at a time; and it is what a plain search finds.
TEST(StopStringsTest, TheCutsDoNotMatter) {
  std::mt19937 random(7);
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  auto word = [&](int longest) {
    std::string out;
    for (int i = 1 + pick(longest); i > 0; --i) out += static_cast<char>('a' + pick(2));
    return out;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> stops;
    for (int i = pick(3); i >= 0; --i) stops.push_back(word(5));
    std::string text = word(20);
    std::vector<std::string> letters, pieces;
    for (char c : text) letters.emplace_back(1, c);
    for (size_t at = 0; at < text.size();) {
      size_t n = 1 + static_cast<size_t>(pick(4));
      pieces.push_back(text.substr(at, n));
      at += n;
    }
    Outcome want = run(stops, letters);
    EXPECT_EQ(run(stops, pieces), want) << text;
    size_t first_end = std::string::npos;
    for (const auto& s : stops) {
      if (size_t at = text.find(s); at != std::string::npos) first_end = std::min(first_end, at + s.size());
    }
    EXPECT_EQ(want.matched.has_value(), first_end != std::string::npos);
    std::string shown = want.text + want.matched.value_or("");
    EXPECT_EQ(shown, text.substr(0, first_end)) << text;
  }
}

}  // namespace
}  // namespace mlc::text
