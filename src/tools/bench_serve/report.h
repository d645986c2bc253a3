// What a load came to, for people and programs.
//
//   Level level{"8 at once", 8, 0, run_load(server, spec)};
//   Summary s = summarize(level.load, goals);
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "tools/bench_serve/load.h"

namespace mlc::tools::bench_serve {

// A goal for every request of goodput: "ttft:200" is a first token within 200 ms. Metrics: ttft, tpot, itl, e2e; itl is
// the request's longest gap.
struct Goal {
  std::string metric;
  double limit_ms = 0;
};
Result<std::vector<Goal>> parse_goals(const std::vector<std::string>& texts);

struct Quantiles {
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;  // seconds
  size_t count = 0;
};
Quantiles quantiles(std::vector<double> values);

struct Summary {
  int64_t completed = 0;
  std::map<std::string, int64_t> errors;  // by kind
  std::string first_detail;               // what was said with the first of them
  double seconds = 0;
  double prompt_tokens = 0, output_tokens = 0;  // of all completed requests
  double requests_per_s = 0, output_tokens_per_s = 0, total_tokens_per_s = 0;
  Quantiles ttft, tpot, itl, e2e;
  double good_per_s = 0, good_share = 0;  // completed requests within all goals
  double slowest_share = 0;               // tokens/s of the slowest stream over the median stream's
  bool counted_by_server = true;          // all token counts come from `usage`
};
Summary summarize(const Load& load, const std::vector<Goal>& goals);

struct Level {
  int64_t concurrency = 0;  // 0: no limit
  double rate = 0;          // requests per second; 0: as fast as there is room
  Load load;
  std::string label() const;  // "8 at once", "2.5/s"
};

struct Report {
  std::string time, url, path, model, dataset, label;
  std::vector<Goal> goals;
  std::vector<Level> levels;
};
std::string table(const Report& report);
OrderedJson to_json(const Report& report);
// One file that needs nothing else; well-formed as XML too.
std::string html(const Report& report);

}  // namespace mlc::tools::bench_serve
