#include "base/cpu_count.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/cpu_placement.h"
#include "base/knobs.h"

namespace mlc {
namespace {

// "max 100000" or "150000 100000" -> cores; 0 for none.
double read_v2(const std::string& file) {
  std::ifstream in(file);
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::strtod(quota.c_str(), nullptr) / period;
}

double read_v1(const std::string& dir) {
  double quota = 0, period = 0;
  std::ifstream q(dir + "/cpu.cfs_quota_us"), p(dir + "/cpu.cfs_period_us");
  if (!(q >> quota) || !(p >> period) || quota <= 0 || period <= 0) return 0;
  return quota / period;
}

void tighten(double& limit, double quota) {
  if (quota > 0 && (limit == 0 || quota < limit)) limit = quota;
}

// Calls `read` for the group and every group above it, up to the mount point.
template <typename Read>
double tightest(const std::string& mount, std::string group, const Read& read) {
  double limit = 0;
  while (true) {
    tighten(limit, read(mount + (group == "/" ? "" : group)));
    const size_t slash = group.rfind('/');
    if (group.empty() || group == "/" || slash == std::string::npos) return limit;
    group.resize(slash);
  }
}

}  // namespace

double cgroup_cpu_quota(const std::string& root) {
  double limit = 0;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/path" or "4:cpu,cpuacct:/path"
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string group = line.substr(second + 1);
    if (line.compare(0, 3, "0::") == 0) {
      tighten(limit, tightest(root + "/sys/fs/cgroup", group,
                              [](const std::string& dir) { return read_v2(dir + "/cpu.max"); }));
      continue;
    }
    std::stringstream controllers(line.substr(first + 1, second - first - 1));
    for (std::string c; std::getline(controllers, c, ',');) {
      if (c == "cpu") tighten(limit, tightest(root + "/sys/fs/cgroup/cpu", group, read_v1));
    }
  }
  return limit;
}

int usable_cpu_count() {
  const size_t allowed = allowed_cpus().size();
  const int cpus = allowed > 0 ? static_cast<int>(allowed) : std::max(1u, std::thread::hardware_concurrency());
  const double quota = cgroup_cpu_quota("");
  return quota > 0 ? std::clamp(static_cast<int>(std::floor(quota + 1e-3)), 1, cpus) : cpus;
}

const Placement& this_placement() {
  static const Placement placement = [] {
    const std::vector<int> allowed = allowed_cpus();
    std::vector<int> cpus = allowed;
    const int known = usable_cpu_count();
    for (int i = 0; allowed.empty() && i < known; ++i) cpus.push_back(i);
    return place_workers(read_cpus("", cpus), cgroup_cpu_quota(""));
  }();
  return placement;
}

int default_num_threads() {
  const int64_t wanted = knob_int("MLC_THREADS");
  return wanted > 0 ? static_cast<int>(std::min<int64_t>(wanted, 4096)) : this_placement().default_workers;
}

}  // namespace mlc
