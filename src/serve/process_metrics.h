// The process_* metrics that every Prometheus client library gives: from /proc/self, or from
// Windows.
#pragma once

namespace mlc::serve {

struct ProcessMetrics {
  double cpu_seconds = 0;
  double resident_bytes = 0, virtual_bytes = 0;
  double start_time = 0;  // seconds since 1970
  double open_fds = 0, max_fds = 0;
  double threads = 0;
};

ProcessMetrics read_process_metrics();  // zeros where the system does not tell

}  // namespace mlc::serve
