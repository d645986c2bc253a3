// Where worker threads go: which CPUs this process may use, which of them share a core, which are fast, and which
// memory node they are next to.
//
//   const Placement p = place_workers(read_cpus("", allowed_cpus()), cgroup_cpu_quota(""));
//   ThreadPool pool(p.default_workers, {.cpus = affinities(p, p.default_workers, Pinning::kAuto)});
//
// read_cpus reads files under a root and place_workers and affinities compute: tests give them machines that they do
// not run on. What /sys does not say (containers may hide it) counts as: a core of its own, as fast as others, node 0.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlc {

struct Cpu {
  int id = 0;
  int core = 0;      // the lowest id of the CPUs (hardware threads) that share its core
  int node = 0;      // memory node
  double speed = 1;  // of the fastest CPU of the machine, 0 … 1: by capacity if the system knows it, else by frequency
  bool operator==(const Cpu&) const = default;
};

// "0-3,8" -> 0, 1, 2, 3, 8. What is no list of CPUs is empty.
std::vector<int> parse_cpu_list(std::string_view text);
// The CPUs that the calling thread may run on, ascending; empty where the system does not tell.
std::vector<int> allowed_cpus();
// Facts about these CPUs, without those that are offline. `root` stands for "/".
std::vector<Cpu> read_cpus(const std::string& root, const std::vector<int>& allowed);

struct Placement {
  // Where the first, second, … worker would best be: performance cores first, alternating between nodes, one hardware
  // thread each; then other cores; then the second threads of cores.
  std::vector<Cpu> order;
  int performance_cores = 0;  // cores within 3/4 of the fastest one's speed
  int num_nodes = 1;
  int default_workers = 1;  // performance cores, or what a quota leaves of them
};
// quota: in cores, as cgroup_cpu_quota; 0 for none. No CPUs at all: one worker.
Placement place_workers(const std::vector<Cpu>& cpus, double quota);

// kAuto keeps workers on performance cores, and each on its memory node, on machines that have several kinds of cores
// or several nodes; the system still moves them among these. Elsewhere it leaves them alone: a worker bound to one core
// waits for whatever else runs there. kCores binds each worker to one CPU.
enum class Pinning { kNever, kAuto, kCores };
// The CPUs of each worker; no entries: workers are left alone.
std::vector<std::vector<int>> affinities(const Placement& placement, int workers, Pinning pinning);

// Binds the calling thread; false if the system refuses. Empty: does nothing.
bool bind_this_thread(const std::vector<int>& cpus);

// With several nodes: memory that this thread, and threads that it starts from then on, touch first comes from all of
// them in turn, so that reading weights uses all memory controllers. Pieces of a call are computed by whoever is free,
// so no page is nearer to its reader than another. Leaves a policy alone that somebody has set (numactl). True if set.
bool interleave_memory(const Placement& placement);

}  // namespace mlc
