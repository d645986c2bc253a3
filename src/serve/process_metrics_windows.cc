#include <windows.h>
// After windows.h, which they need.
#include <psapi.h>
#include <tlhelp32.h>

#include <cstdint>

#include "serve/process_metrics.h"

namespace mlc::serve {
namespace {

double seconds(const FILETIME& t) {
  return static_cast<double>((uint64_t{t.dwHighDateTime} << 32) | t.dwLowDateTime) * 1e-7;
}

constexpr double kUnixEpoch = 11644473600;  // seconds since 1601, where Windows begins to count

double count_threads() {
  HANDLE snapshot = ::CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return 0;
  double threads = 0;
  THREADENTRY32 entry{};
  entry.dwSize = sizeof entry;
  for (BOOL more = ::Thread32First(snapshot, &entry); more; more = ::Thread32Next(snapshot, &entry)) {
    threads += entry.th32OwnerProcessID == ::GetCurrentProcessId();
  }
  ::CloseHandle(snapshot);
  return threads;
}

}  // namespace

ProcessMetrics read_process_metrics() {
  ProcessMetrics m;
  HANDLE self = ::GetCurrentProcess();
  FILETIME created{}, ended{}, kernel{}, user{};
  if (::GetProcessTimes(self, &created, &ended, &kernel, &user)) {
    m.cpu_seconds = seconds(kernel) + seconds(user);
    m.start_time = seconds(created) - kUnixEpoch;
  }
  PROCESS_MEMORY_COUNTERS memory{};
  if (::GetProcessMemoryInfo(self, &memory, sizeof memory)) {
    m.resident_bytes = static_cast<double>(memory.WorkingSetSize);
    m.virtual_bytes = static_cast<double>(memory.PagefileUsage);
  }
  DWORD handles = 0;
  if (::GetProcessHandleCount(self, &handles)) m.open_fds = handles;
  m.max_fds = 1 << 24;  // of a process, by design of the system
  m.threads = count_threads();
  return m;
}

}  // namespace mlc::serve
