// Machines as trees of files, as Linux shows them under /sys, and where workers go on them.
#include "base/cpu_placement.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "base/cpu_count.h"
#include "base/file.h"

namespace mlc {
namespace {

class FakeMachine {
 public:
  FakeMachine() : dir_(TempDir::create().value()) {}
  const std::string& root() const { return dir_.path(); }
  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path p = root() + path;
    std::filesystem::create_directories(p.parent_path());
    std::ofstream(p) << text << "\n";
  }
  void cpu(int id, const std::string& siblings) const {
    put("/sys/devices/system/cpu/cpu" + std::to_string(id) + "/topology/thread_siblings_list", siblings);
  }
  void cpu_file(int id, const std::string& file, const std::string& text) const {
    put("/sys/devices/system/cpu/cpu" + std::to_string(id) + "/" + file, text);
  }
  void nodes(const std::vector<std::string>& lists) const {
    put("/sys/devices/system/node/online", lists.size() == 1 ? "0" : "0-" + std::to_string(lists.size() - 1));
    for (size_t i = 0; i < lists.size(); ++i) {
      put("/sys/devices/system/node/node" + std::to_string(i) + "/cpulist", lists[i]);
    }
  }

 private:
  TempDir dir_;
};

std::vector<int> first(int n) {
  std::vector<int> ids(static_cast<size_t>(n));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

std::vector<int> ids_of(const Placement& p) {
  std::vector<int> ids;
  for (const Cpu& c : p.order) ids.push_back(c.id);
  return ids;
}

using Sets = std::vector<std::vector<int>>;

TEST(CpuList, Parses) {
  EXPECT_EQ(parse_cpu_list("0-3,8,10-11\n"), (std::vector<int>{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list("5"), std::vector<int>{5});
  EXPECT_EQ(parse_cpu_list("4,0-1,1"), (std::vector<int>{0, 1, 4}));
  for (const char* bad : {"", "\n", "x", "0-", "-3", "1,,2", "0-99999999999", "0-2000000000", "1;2"}) {
    EXPECT_TRUE(parse_cpu_list(bad).empty()) << bad;
  }
}

TEST(CpuPlacement, TwoThreadsPerCore) {
  FakeMachine m;
  m.put("/sys/devices/system/cpu/online", "0-7");
  for (int i = 0; i < 8; ++i) m.cpu(i, std::to_string(i % 4) + "," + std::to_string(i % 4 + 4));
  m.nodes({"0-7"});
  const Placement p = place_workers(read_cpus(m.root(), first(8)), 0);
  EXPECT_EQ(p.performance_cores, 4);
  EXPECT_EQ(p.default_workers, 4);
  EXPECT_EQ(ids_of(p), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7})) << "cores first, second threads last";
  EXPECT_EQ(affinities(p, 4, Pinning::kAuto), Sets{}) << "one kind of core, one node: the system knows best";
  EXPECT_EQ(affinities(p, 5, Pinning::kCores), (Sets{{0}, {1}, {2}, {3}, {4}}));
  EXPECT_EQ(affinities(p, 4, Pinning::kNever), Sets{});

  // A container that may use both threads of core 1 and one of core 2.
  const Placement few = place_workers(read_cpus(m.root(), {1, 2, 5}), 0);
  EXPECT_EQ(few.default_workers, 2);
  EXPECT_EQ(ids_of(few), (std::vector<int>{1, 2, 5}));
  // And one whose only threads are second ones.
  const Placement second = place_workers(read_cpus(m.root(), {4, 5}), 0);
  EXPECT_EQ(second.default_workers, 2);
}

TEST(CpuPlacement, QuotasCountWholeCores) {
  const std::vector<Cpu> cpus = read_cpus(FakeMachine().root(), first(8));
  EXPECT_EQ(place_workers(cpus, 0).default_workers, 8);
  EXPECT_EQ(place_workers(cpus, 2.5).default_workers, 2);
  EXPECT_EQ(place_workers(cpus, 0.5).default_workers, 1);
  EXPECT_EQ(place_workers(cpus, 100).default_workers, 8);
  EXPECT_EQ(place_workers({}, 0).default_workers, 1);
  EXPECT_EQ(affinities(place_workers({}, 0), 4, Pinning::kCores), Sets{});
}

// 6 large cores of two threads (0-11), 8 small ones (12-19), as Alder Lake numbers them.
FakeMachine hybrid() {
  FakeMachine m;
  m.put("/sys/devices/system/cpu/online", "0-19");
  m.nodes({"0-19"});
  for (int i = 0; i < 20; ++i) {
    const int even = i / 2 * 2;
    m.cpu(i, i < 12 ? std::to_string(even) + "-" + std::to_string(even + 1) : std::to_string(i));
    m.cpu_file(i, "cpufreq/cpuinfo_max_freq", i < 2 ? "5300000" : i < 12 ? "5100000" : "4000000");
  }
  return m;
}

TEST(CpuPlacement, LargeAndSmallCores) {
  FakeMachine m = hybrid();
  EXPECT_EQ(place_workers(read_cpus(m.root(), first(20)), 0).performance_cores, 14) << "by frequency alone";
  m.put("/sys/devices/cpu_atom/cpus", "12-19");
  const Placement p = place_workers(read_cpus(m.root(), first(20)), 0);
  EXPECT_EQ(p.performance_cores, 6);
  EXPECT_EQ(p.default_workers, 6);
  EXPECT_EQ(ids_of(p), (std::vector<int>{0, 2, 4, 6, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19, 1, 3, 5, 7, 9, 11}));
  EXPECT_EQ(place_workers(read_cpus(m.root(), {12, 13, 14}), 0).default_workers, 3) << "the fastest there are";
  const std::vector<int> large = first(12);
  EXPECT_EQ(affinities(p, 4, Pinning::kAuto), (Sets{large, large, large, large})) << "any of the large cores";
  EXPECT_EQ(affinities(p, 14, Pinning::kAuto), Sets{}) << "all cores are wanted";
  // Newer kernels know capacities.
  for (int i = 0; i < 20; ++i) m.cpu_file(i, "cpu_capacity", i < 12 ? "1024" : "640");
  EXPECT_EQ(place_workers(read_cpus(m.root(), first(20)), 0).performance_cores, 6);
  EXPECT_EQ(place_workers(read_cpus(m.root(), {12, 13, 14}), 0).default_workers, 3);
}

TEST(CpuPlacement, ThreeKindsOfArmCores) {
  FakeMachine m;
  m.put("/sys/devices/system/cpu/online", "0-7");
  const int capacity[8] = {325, 325, 325, 325, 871, 871, 871, 1024};
  for (int i = 0; i < 8; ++i) {
    m.cpu(i, std::to_string(i));
    m.cpu_file(i, "cpu_capacity", std::to_string(capacity[i]));
  }
  const Placement p = place_workers(read_cpus(m.root(), first(8)), 0);
  EXPECT_EQ(p.default_workers, 4);
  EXPECT_EQ(ids_of(p), (std::vector<int>{4, 5, 6, 7, 0, 1, 2, 3}));
  EXPECT_EQ(affinities(p, 2, Pinning::kAuto), (Sets{{4, 5, 6, 7}, {4, 5, 6, 7}}));
}

TEST(CpuPlacement, TwoNodes) {
  FakeMachine m;
  m.put("/sys/devices/system/cpu/online", "0-15");
  m.nodes({"0-3,8-11", "4-7,12-15"});
  for (int i = 0; i < 16; ++i) m.cpu(i, std::to_string(i % 8) + "," + std::to_string(i % 8 + 8));
  const Placement p = place_workers(read_cpus(m.root(), first(16)), 0);
  EXPECT_EQ(p.num_nodes, 2);
  EXPECT_EQ(p.default_workers, 8);
  EXPECT_EQ(ids_of(p), (std::vector<int>{0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15}));
  const std::vector<int> left = {0, 1, 2, 3, 8, 9, 10, 11}, right = {4, 5, 6, 7, 12, 13, 14, 15};
  EXPECT_EQ(affinities(p, 3, Pinning::kAuto), (Sets{left, right, left}));
  // Bound to one node from outside: nothing to spread.
  const Placement bound = place_workers(read_cpus(m.root(), left), 0);
  EXPECT_EQ(bound.num_nodes, 1);
  EXPECT_EQ(bound.default_workers, 4);
  EXPECT_EQ(affinities(bound, 4, Pinning::kAuto), Sets{});
  EXPECT_FALSE(interleave_memory(bound));
}

TEST(CpuPlacement, WhatIsHiddenOrDamagedCountsAsPlainCores) {
  FakeMachine m;
  EXPECT_EQ(read_cpus(m.root(), {0, 3}), (std::vector<Cpu>{{0, 0, 0, 1}, {3, 3, 0, 1}}));
  m.put("/sys/devices/system/cpu/online", "0-1");
  m.put("/sys/devices/system/node/online", "what?");
  m.cpu(0, "7");  // names only others
  m.cpu(1, "");
  m.cpu_file(0, "cpu_capacity", "1024");  // of one CPU only
  m.cpu_file(1, "cpu_capacity", "-5");
  EXPECT_EQ(read_cpus(m.root(), {0, 1, 2}), (std::vector<Cpu>{{0, 0, 0, 1}, {1, 1, 0, 1}})) << "2 is offline";
}

TEST(CpuPlacement, ThisMachine) {
  const std::vector<int> allowed = allowed_cpus();
#ifdef __linux__
  ASSERT_FALSE(allowed.empty());
  const Placement p = place_workers(read_cpus("", allowed), cgroup_cpu_quota(""));
  EXPECT_GE(p.default_workers, 1);
  EXPECT_LE(p.default_workers, usable_cpu_count());
  EXPECT_LE(p.order.size(), allowed.size());
  bool bound = false;
  std::vector<int> then;
  std::thread([&] {
    bound = bind_this_thread({allowed.back()});
    then = allowed_cpus();
  }).join();
  EXPECT_TRUE(bound);
  EXPECT_EQ(then, std::vector<int>{allowed.back()});
  EXPECT_EQ(allowed_cpus(), allowed) << "only that thread was bound";
#endif
}

}  // namespace
}  // namespace mlc
