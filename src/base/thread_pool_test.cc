#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "../tests/support/source_dir.h"
#include "base/cpu_count.h"
#include "base/file.h"
#include "base/knobs.h"
#include "base/test_env.h"

namespace mlc {
namespace {

TEST(ThreadPool, EveryWorkerRunsOnce) {
  for (int n : {1, 2, 3, 5}) {
    ThreadPool pool(n);
    ASSERT_EQ(pool.num_workers(), n);
    for (int round = 0; round < 200; ++round) {
      std::vector<int> seen(static_cast<size_t>(n), 0);  // plain memory: run() itself must order the accesses
      pool.run([&](int worker, int workers) {
        EXPECT_EQ(workers, n);
        seen[static_cast<size_t>(worker)] += 1 + worker;
      });
      EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0), n * (n + 1) / 2);
    }
  }
}

// Each worker writes its cell, then reads its neighbour's after the barrier: a broken barrier shows at once.
TEST(ThreadPool, BarrierOrdersMemory) {
  for (int spin : {0, 60}) {
    ThreadPool::Options options;
    options.barrier_spin_us = options.idle_spin_us = spin;
    ThreadPool pool(3, options);
    std::vector<int64_t> cells(3, 0);
    int64_t wrong[3] = {};
    pool.run([&](int worker, int n) {
      for (int64_t i = 1; i <= 3000; ++i) {
        cells[static_cast<size_t>(worker)] = i;
        pool.barrier();
        wrong[worker] += cells[static_cast<size_t>((worker + 1) % n)] != i;
        pool.barrier();
      }
    });
    EXPECT_EQ(wrong[0] + wrong[1] + wrong[2], 0);
  }
}

TEST(ThreadPool, FlushesDenormalsOnlyWhileRunning) {
#if defined(__x86_64__) || defined(__aarch64__)
  volatile float tiny = FLT_MIN;
  ThreadPool pool(2);
  float inside[2] = {1, 1};
  pool.run([&](int worker, int) { inside[worker] = tiny * 0.5f; });
  EXPECT_EQ(inside[0], 0.0f);
  EXPECT_EQ(inside[1], 0.0f);
  EXPECT_GT(tiny * 0.5f, 0.0f);
#else
  GTEST_SKIP() << "no way to flush denormals on this CPU";
#endif
}

TEST(ThreadPool, PinnedPoolWorks) {
  const std::vector<int> allowed = allowed_cpus();
  if (allowed.empty()) GTEST_SKIP() << "this system does not tell where threads may run";
  ThreadPool::Options options;
  options.cpus = {{allowed.front()}, {allowed.back()}};
  ThreadPool pool(2, options);
  std::vector<int> where[2];
  const auto look = [&](int worker, int) { where[worker] = allowed_cpus(); };
  pool.run(look);
  EXPECT_EQ(where[0], allowed) << "the caller is left alone";
  EXPECT_EQ(where[1], std::vector<int>{allowed.back()});
  std::thread([&] {
    pool.adopt_this_thread();
    pool.run(look);
  }).join();
  EXPECT_EQ(where[0], std::vector<int>{allowed.front()});
  EXPECT_EQ(allowed_cpus(), allowed);
}

TEST(CpuCount, ReadsQuotas) {
  auto tmp = TempDir::create();
  ASSERT_TRUE(tmp);
  auto put = [&](const std::string& path, const std::string& text) {
    const std::filesystem::path p = tmp->path() + path;
    std::filesystem::create_directories(p.parent_path());
    std::ofstream(p) << text;
  };
  EXPECT_EQ(cgroup_cpu_quota(tmp->path()), 0);
  put("/proc/self/cgroup", "0::/a/b\n");
  put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(tmp->path()), 0);
  put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");  // the limit of the group above counts
  EXPECT_DOUBLE_EQ(cgroup_cpu_quota(tmp->path()), 1.5);
  put("/proc/self/cgroup", "4:cpuset:/x\n3:cpu,cpuacct:/c\n");
  put("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "300000");
  put("/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000");
  EXPECT_DOUBLE_EQ(cgroup_cpu_quota(tmp->path()), 3);
  put("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(cgroup_cpu_quota(tmp->path()), 0);
  EXPECT_GE(usable_cpu_count(), 1);
}

TEST(Knobs, ValuesAndDocument) {
  set_env("MLC_THREADS", "3");
  EXPECT_EQ(default_num_threads(), 3);
  set_env("MLC_THREADS", "three");
  EXPECT_EQ(default_num_threads(), this_placement().default_workers);
  set_env("MLC_THREADS", "");
  const std::string path = testing::source_file("docs/knobs.md");
  if (knob_bool("MLC_UPDATE_GOLDENS")) {
    ASSERT_TRUE(write_file_atomic(path, knobs_markdown()));
  }
  auto text = read_file(path);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, knobs_markdown()) << "run test_base with MLC_UPDATE_GOLDENS=1";
}

}  // namespace
}  // namespace mlc
