// What was measured on earlier days: a file of JSON lines, one per report, appended to by every run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/bench/report.h"

namespace mlc::tools::bench {

struct HistoryEntry {
  std::string time, build, cpu, title;  // title: Report::title()
  struct Phase {
    double tokens_per_s = 0, share = 0;
  };
  std::map<std::string, Phase> phases;  // by label
};

// In the order of the file. A file that is not there is empty; a line that is none of ours is an error that names it.
Result<std::vector<HistoryEntry>> read_history(const std::string& file);
Result<void> append_history(const std::string& file, const Session& session);

}  // namespace mlc::tools::bench
