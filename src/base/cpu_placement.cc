#include "base/cpu_placement.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace mlc {
namespace {

constexpr double kPerformance = 0.75;  // of the fastest core's speed
constexpr int kMostCpus = 1 << 20;

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// A positive number, else 0.
double number_in(const std::string& path) {
  double value = 0;
  std::ifstream in(path);
  return in >> value && value > 0 ? value : 0;
}

// Relative to the fastest; all 1 unless every one is known.
void set_speeds(std::vector<Cpu>& cpus, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  for (size_t i = 0; i < cpus.size(); ++i) cpus[i].speed = *low > 0 ? values[i] / *high : 1;
}

void read_speeds(const std::string& root, std::vector<Cpu>& cpus) {
  if (cpus.empty()) return;
  std::vector<double> capacity, frequency;
  for (const Cpu& c : cpus) {
    const std::string dir = root + "/sys/devices/system/cpu/cpu" + std::to_string(c.id);
    capacity.push_back(number_in(dir + "/cpu_capacity"));
    frequency.push_back(number_in(dir + "/cpufreq/cpuinfo_max_freq"));
  }
  // Intel's hybrid processors list their small cores; before Linux 6.12 they had no capacities, and their frequencies
  // come close to those of large ones while their work per cycle does not.
  const std::vector<int> small = parse_cpu_list(first_line(root + "/sys/devices/cpu_atom/cpus"));
  for (size_t i = 0; i < cpus.size(); ++i) {
    if (std::binary_search(small.begin(), small.end(), cpus[i].id)) frequency[i] /= 2;
  }
  const bool known = *std::min_element(capacity.begin(), capacity.end()) > 0;
  set_speeds(cpus, known ? capacity : frequency);
}

bool fast(const Cpu& c) { return c.speed >= kPerformance; }

}  // namespace

std::vector<int> parse_cpu_list(std::string_view text) {
  std::set<int> found;
  const char *at = text.data(), *end = at + text.size();
  auto number = [&](int& value) {
    const auto [next, ec] = std::from_chars(at, end, value);
    at = next;
    return ec == std::errc() && value >= 0 && value < kMostCpus;
  };
  while (end > at && (end[-1] == '\n' || end[-1] == ' ')) --end;
  while (at < end) {
    int first = 0;
    if (!number(first)) return {};
    int last = first;
    if (at < end && *at == '-') {
      ++at;
      if (!number(last)) return {};
    }
    for (int i = first; i <= last; ++i) found.insert(i);
    if (at == end) break;
    if (*at != ',') return {};
    ++at;
  }
  return {found.begin(), found.end()};
}

std::vector<int> allowed_cpus() {
  std::vector<int> out;
#ifdef __linux__
  // The kernel's mask may be wider than cpu_set_t: grow until it fits.
  for (int most = 1024; most <= kMostCpus && out.empty(); most *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(most));
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(most));
    if (sched_getaffinity(0, bytes, set) == 0) {
      for (int i = 0; i < most; ++i) {
        if (CPU_ISSET_S(static_cast<size_t>(i), bytes, set)) out.push_back(i);
      }
    }
    CPU_FREE(set);
  }
#endif
  return out;
}

std::vector<Cpu> read_cpus(const std::string& root, const std::vector<int>& allowed) {
  const std::string system = root + "/sys/devices/system";
  const std::vector<int> online = parse_cpu_list(first_line(system + "/cpu/online"));
  std::map<int, int> node_of;
  for (int node : parse_cpu_list(first_line(system + "/node/online"))) {
    const std::string list = first_line(system + "/node/node" + std::to_string(node) + "/cpulist");
    for (int cpu : parse_cpu_list(list)) node_of[cpu] = node;
  }
  std::vector<Cpu> cpus;
  for (int id : allowed) {
    if (!online.empty() && !std::binary_search(online.begin(), online.end(), id)) continue;
    const std::string topology = system + "/cpu/cpu" + std::to_string(id) + "/topology/";
    const std::vector<int> siblings = parse_cpu_list(first_line(topology + "thread_siblings_list"));
    // A list that does not name the CPU itself is no news about it.
    const bool listed = std::find(siblings.begin(), siblings.end(), id) != siblings.end();
    const auto node = node_of.find(id);
    cpus.push_back({id, listed ? siblings.front() : id, node == node_of.end() ? 0 : node->second, 1});
  }
  read_speeds(root, cpus);
  return cpus;
}

Placement place_workers(const std::vector<Cpu>& cpus, double quota) {
  Placement p;
  // The rank of a CPU: what comes first, then its turn on its node, so that nodes alternate.
  struct Ranked {
    int kind = 0;  // performance core, other core, second thread
    int turn = 0;
    Cpu cpu;
  };
  std::vector<Ranked> ranked;
  std::set<int> cores, nodes;
  std::map<std::pair<int, int>, int> turns;  // (kind, node) -> CPUs so far
  for (const Cpu& c : cpus) {
    const bool first = cores.insert(c.core).second;
    const int kind = !first ? 2 : fast(c) ? 0 : 1;
    nodes.insert(c.node);
    p.performance_cores += kind == 0;
    ranked.push_back({kind, turns[{kind, c.node}]++, c});
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::tie(a.kind, a.turn, a.cpu.node) < std::tie(b.kind, b.turn, b.cpu.node);
  });
  for (const Ranked& r : ranked) p.order.push_back(r.cpu);
  p.num_nodes = std::max(1, static_cast<int>(nodes.size()));
  p.default_workers = std::max(1, p.performance_cores);
  if (quota > 0) p.default_workers = std::clamp(static_cast<int>(std::floor(quota + 1e-3)), 1, p.default_workers);
  return p;
}

std::vector<std::vector<int>> affinities(const Placement& p, int workers, Pinning pinning) {
  std::vector<std::vector<int>> out;
  if (pinning == Pinning::kNever || p.order.empty()) return out;
  if (pinning == Pinning::kCores) {
    for (int i = 0; i < workers; ++i) out.push_back({p.order[static_cast<size_t>(i) % p.order.size()].id});
    return out;
  }
  const bool mixed = !std::all_of(p.order.begin(), p.order.end(), fast);
  // More workers than fast cores: somebody wants all cores to work.
  if ((!mixed && p.num_nodes == 1) || workers > p.performance_cores) return out;
  for (int i = 0; i < workers; ++i) {
    const int node = p.order[static_cast<size_t>(i)].node;
    std::vector<int> set;
    for (const Cpu& c : p.order) {
      if (c.node == node && fast(c)) set.push_back(c.id);
    }
    std::sort(set.begin(), set.end());
    out.push_back(std::move(set));
  }
  return out;
}

bool bind_this_thread([[maybe_unused]] const std::vector<int>& cpus) {
#ifdef __linux__
  if (cpus.empty()) return true;
  const auto most = static_cast<size_t>(*std::max_element(cpus.begin(), cpus.end())) + 1;
  cpu_set_t* set = CPU_ALLOC(most);
  const size_t bytes = CPU_ALLOC_SIZE(most);
  CPU_ZERO_S(bytes, set);
  for (int c : cpus) CPU_SET_S(static_cast<size_t>(c), bytes, set);
  const bool done = sched_setaffinity(0, bytes, set) == 0;
  CPU_FREE(set);
  return done;
#else
  return cpus.empty();
#endif
}

bool interleave_memory([[maybe_unused]] const Placement& placement) {
#if defined(__linux__) && defined(SYS_set_mempolicy) && defined(SYS_get_mempolicy)
  constexpr int kDefault = 0, kInterleave = 3;  // of linux/mempolicy.h
  constexpr unsigned long kMostNodes = 1024, kBits = 8 * sizeof(unsigned long);
  int mode = kDefault;
  if (placement.num_nodes < 2 || ::syscall(SYS_get_mempolicy, &mode, nullptr, 0UL, nullptr, 0UL) != 0) return false;
  if (mode != kDefault) return false;
  unsigned long mask[kMostNodes / kBits] = {};
  for (const Cpu& c : placement.order) {
    const auto node = static_cast<unsigned long>(c.node);
    if (node < kMostNodes) mask[node / kBits] |= 1UL << (node % kBits);
  }
  return ::syscall(SYS_set_mempolicy, kInterleave, mask, kMostNodes + 1) == 0;
#else
  return false;
#endif
}

}  // namespace mlc
