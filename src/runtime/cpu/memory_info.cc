#include "runtime/cpu/memory_info.h"

#include <algorithm>
#include <fstream>

#include "base/os.h"

namespace mlc::runtime {
namespace {

// The number in a file, or -1: "max", missing.
int64_t read_number(const std::string& file) {
  std::ifstream in(file);
  int64_t value = -1;
  return in >> value ? value : -1;
}

void limit(MemoryInfo& info, int64_t max, int64_t used) {
  if (max <= 0 || max >= info.total_bytes) return;  // v1 writes "no limit" as a huge number
  info.total_bytes = max;
  if (used >= 0) info.available_bytes = std::min(info.available_bytes, std::max<int64_t>(0, max - used));
}

}  // namespace

MemoryInfo read_memory_info(const std::string& root) {
  MemoryInfo info;
  std::ifstream meminfo(root + "/proc/meminfo");
  std::string key, unit;
  for (int64_t kib = 0; meminfo >> key >> kib; std::getline(meminfo, unit)) {
    if (key == "MemTotal:") info.total_bytes = kib * 1024;
    if (key == "MemAvailable:") info.available_bytes = kib * 1024;
  }
  if (info.total_bytes == 0 && root.empty()) {  // no /proc here
    const os::Memory memory = os::physical_memory();
    info.total_bytes = memory.total_bytes;
    info.available_bytes = memory.available_bytes;
  }
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t second = line.find(':', line.find(':') + 1);
    if (second == std::string::npos) continue;
    const std::string group = line.substr(second + 1);
    if (line.rfind("0::", 0) == 0) {
      for (const std::string& dir : {root + "/sys/fs/cgroup", root + "/sys/fs/cgroup" + group}) {
        limit(info, read_number(dir + "/memory.max"), read_number(dir + "/memory.current"));
      }
    } else if (line.find(":memory:") != std::string::npos) {
      for (const std::string& dir : {root + "/sys/fs/cgroup/memory", root + "/sys/fs/cgroup/memory" + group}) {
        limit(info, read_number(dir + "/memory.limit_in_bytes"), read_number(dir + "/memory.usage_in_bytes"));
      }
    }
  }
  return info;
}

}  // namespace mlc::runtime
