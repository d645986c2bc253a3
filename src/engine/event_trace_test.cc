#include "engine/event_trace.h"

#include <gtest/gtest.h>

namespace mlc::engine {
namespace {

using std::chrono::microseconds;

std::vector<std::string> names_and_phases(const OrderedJson& trace) {
  std::vector<std::string> out;
  for (const auto& e : trace) {
    out.push_back(e["tid"].get<std::string>() + ": " + e["name"].get<std::string>() + " " + e["ph"].get<std::string>());
  }
  return out;
}

TEST(EventTrace, SpansBecomePairsInTheOrderOfTime) {
  EventTrace trace;
  const auto t = EventTrace::Clock::now();
  trace.instant("a", "add request", t);
  trace.span("a", "queue", t, t + microseconds(5));
  trace.span("a", "decode", t + microseconds(5), t + microseconds(9));
  trace.span("b", "decode", t + microseconds(5), t + microseconds(8));
  trace.span("a", "decode", t + microseconds(9), t + microseconds(12));
  const OrderedJson json = trace.chrome_json();
  EXPECT_EQ(names_and_phases(json),
            (std::vector<std::string>{"a: add request (0) i", "a: queue (0) B", "a: queue (0) E", "a: decode (0) B",
                                      "b: decode (0) B", "b: decode (0) E", "a: decode (0) E", "a: decode (1) B",
                                      "a: decode (1) E"}));
  EXPECT_EQ(json[1]["pid"], 1);
  EXPECT_NEAR(json[2]["ts"].get<double>() - json[1]["ts"].get<double>(), 5, 0.01);
}

TEST(EventTrace, OldEventsMakeRoomAndPairsStayWhole) {
  EventTrace trace(2);
  const auto t = EventTrace::Clock::now();
  for (int i = 0; i < 5; ++i) trace.span("a", "decode", t + microseconds(i), t + microseconds(i + 1));
  EXPECT_EQ(names_and_phases(trace.chrome_json()),
            (std::vector<std::string>{"a: decode (3) B", "a: decode (3) E", "a: decode (4) B", "a: decode (4) E"}));
  trace.close("a");
  trace.instant("a", "decode", t + microseconds(9));
  EXPECT_EQ(trace.chrome_json().back()["name"], "decode (0)");
}

}  // namespace
}  // namespace mlc::engine
