#include "base/span.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "base/json.h"

namespace mlc {
namespace {

// The trace is written at exit and its knob is read once: use a child process.
TEST(Span, WritesAChromeTrace) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  const std::string file = tmp->file("trace.json");
  const pid_t child = fork();
  if (child == 0) {
    setenv("MLC_TRACE", file.c_str(), 1);
    if (!trace_enabled()) _exit(2);
    {
      MLC_SPAN("outer \"quoted\"");
      MLC_SPAN("inner");
    }
    trace_event("timed elsewhere", 5000, 2000, {{"ops", 1e6}, {"memory_bytes", 3}});
    flush_trace();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  auto json = read_json_file(file);
  ASSERT_TRUE(json) << json.error().message;
  ASSERT_EQ(json->size(), 3u);
  EXPECT_EQ((*json)[0]["name"], "inner");
  EXPECT_EQ((*json)[1]["name"], "outer \"quoted\"");
  EXPECT_EQ((*json)[2]["ts"], 5.0);
  EXPECT_EQ((*json)[2]["dur"], 2.0);
  EXPECT_EQ((*json)[2]["args"], (Json{{"ops", 1000000}, {"memory_bytes", 3}}));
  EXPECT_FALSE((*json)[0].contains("args"));
  EXPECT_GE((*json)[1]["dur"].get<double>(), (*json)[0]["dur"].get<double>());
}

}  // namespace
}  // namespace mlc
