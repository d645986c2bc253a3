#include "serve/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace mlc::serve {
namespace {

// The fields of /proc/self/stat from the third on: the second, the program's name, may hold anything.
std::istringstream stat_fields() {
  std::ifstream in("/proc/self/stat");
  std::string line;
  std::getline(in, line);
  const size_t end = line.rfind(") ");
  return std::istringstream(end == std::string::npos ? "" : line.substr(end + 2));
}

double boot_time() {
  std::ifstream in("/proc/stat");
  for (std::string word; in >> word;) {
    double seconds = 0;
    if (word == "btime" && in >> seconds) return seconds;
  }
  return 0;
}

}  // namespace

ProcessMetrics read_process_metrics() {
  ProcessMetrics m;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  std::istringstream fields = stat_fields();
  std::string word;
  for (int field = 3; field <= 24 && fields >> word; ++field) {
    const double value = field == 3 ? 0 : std::strtod(word.c_str(), nullptr);
    if (field == 14 || field == 15) m.cpu_seconds += value / ticks;
    if (field == 20) m.threads = value;
    if (field == 22) m.start_time = boot_time() + value / ticks;
    if (field == 23) m.virtual_bytes = value;
    if (field == 24) m.resident_bytes = value * static_cast<double>(::sysconf(_SC_PAGESIZE));
  }
  std::error_code ignored;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", ignored);
       it != std::filesystem::directory_iterator(); it.increment(ignored)) {
    ++m.open_fds;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) m.max_fds = static_cast<double>(limit.rlim_cur);
  return m;
}

}  // namespace mlc::serve
