#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/param_store.h"
#include "runtime/test_model.h"

namespace mlc::runtime {
namespace {

TEST(ParamStore, TwoProcessesRace) {
  const auto module = test::tiny_module();
  const TempDir tmp = TempDir::create().value();
  ParamOptions options;
  options.cache_file = tmp.file("p.bin");
  options.source_key = "weights-1";
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {  // a process of its own: no threads of the parent's pool are here
      ThreadPool pool(1);
      auto p = ParamStore::open(*module, *test::tiny_weights(), pool, options);
      const bool good = p && static_cast<const float*>((*p)->data(0))[3] == 60.0f;
      _exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (pid_t pid : children) {
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  ThreadPool pool(1);
  auto p = ParamStore::open(*module, *test::tiny_weights(), pool, options);
  ASSERT_TRUE(p);
  EXPECT_TRUE((*p)->from_cache());
}

}  // namespace
}  // namespace mlc::runtime
