#include "tune/tune.h"

#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "base/build_id.h"

namespace mlc::tune {
namespace {

using Clock = std::chrono::steady_clock;

// What one row of weights and one operation come to, roughly: only the order of kernels depends on it.
constexpr double kBytesPerSecond = 1e10, kOperationsPerSecond = 5e11;

compiler::TuningRecord record_of(const Report& report, const TuneOptions& options, int threads) {
  compiler::TuningRecord r;
  r.workload = report.task.workload.hash;
  r.target = options.target.str();
  r.kernel = report.task.func->name;
  r.family = report.task.workload.family;
  r.isa = compiler::isa_of(options.target);
  r.build = build_id();
  r.layout = compiler::kLayoutId;
  r.rows = report.task.rows;
  r.threads = threads;
  r.decisions = report.result.best;
  r.seconds = report.result.best_seconds;
  r.by_hand_seconds = report.result.by_hand_seconds;
  r.tried = report.result.tried;
  return r;
}

constexpr size_t kRelatives = 4;  // decisions taken over from other kernels of the family

// What is worth trying first: what was tried for this kernel before, and what was best for others of its family. The
// latter also makes the kernels of a family comparable, from which defaults are made.
std::vector<compiler::Measured> known_for(const Task& task, const target::Target& target,
                                          const compiler::TuningDatabase& db) {
  std::vector<compiler::Measured> known;
  std::map<std::string, int> favourites;  // how many relatives they are best for
  std::map<std::string, schedule::Decisions> decisions;
  for (const auto& [key, record] : db.records()) {
    if (record.target != target.str() || record.family != task.workload.family) continue;
    if (record.workload == task.workload.hash) {
      known = record.tried;
      continue;
    }
    const std::string text = schedule::print(record.decisions);
    favourites[text] += 1;
    decisions[text] = record.decisions;
  }
  std::vector<std::pair<int, std::string>> order;
  for (const auto& [text, count] : favourites) order.emplace_back(-count, text);
  std::sort(order.begin(), order.end());
  // Faster than anything measured, so that they are tried; their own times are those of other kernels.
  for (size_t i = 0; i < order.size() && i < kRelatives; ++i) known.push_back({decisions[order[i].second], 0});
  return known;
}

// Every kernel that a step may use, with the calls that use it.
std::map<std::string, Task> tasks_by_name(const compiler::ModelKernels& kernels, int64_t open_rows) {
  std::map<std::string, Task> tasks;
  for (const artifact::KernelCall& call : kernels.plan.calls) {
    for (const artifact::KernelVariant& v : call.variants) {
      Task& t = tasks[v.kernel];
      t.func = kernels.module.find(v.kernel);
      t.rows = v.max > 0 ? v.max : open_rows;
      t.calls += 1;
      t.importance += static_cast<double>(call.param_bytes) / kBytesPerSecond +
                      static_cast<double>(call.ops_per_row * t.rows) / kOperationsPerSecond;
    }
  }
  return tasks;
}

}  // namespace

Result<std::vector<Task>> select_kernels(const compiler::ModelKernels& kernels, const target::Target& target,
                                         const Selection& selection) {
  std::vector<Task> tasks;
  std::set<std::string> known;
  std::string names;
  for (auto& [name, task] : tasks_by_name(kernels, selection.rows)) {
    if (space_size(*task.func, target) < 2) continue;
    names += (names.empty() ? "" : ", ") + name;
    if (::fnmatch(selection.pattern.c_str(), name.c_str(), 0) != 0) continue;
    task.workload = compiler::workload_of(*task.func);
    if (known.insert(task.workload.hash).second) tasks.push_back(std::move(task));
  }
  if (tasks.empty()) {
    return error(ErrorCode::kNotFound, "no kernel to tune matches \"{}\"; there are: {}", selection.pattern,
                 names.empty() ? "none" : names);
  }
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Task& a, const Task& b) { return a.importance > b.importance; });
  return tasks;
}

Result<std::vector<Report>> tune(const std::vector<Task>& tasks, const TuneOptions& options, ThreadPool& pool,
                                 CostModel* model, compiler::TuningDatabase& db, const TuneHooks& hooks) {
  std::vector<Report> reports;
  Experience experience;
  const auto start = Clock::now();
  for (size_t i = 0; i < tasks.size(); ++i) {
    const double left = options.seconds - std::chrono::duration<double>(Clock::now() - start).count();
    if (left <= 0 && !reports.empty()) break;
    const Task& task = tasks[i];
    SearchOptions search_options;
    search_options.target = options.target;
    search_options.rows = task.rows;
    search_options.opt_level = options.opt_level;
    search_options.trials = options.trials;
    search_options.seconds = std::max(0.0, left) / static_cast<double>(tasks.size() - i);
    search_options.seed = options.seed + i;
    search_options.known = known_for(task, options.target, db);
    const auto progress = [&](const Point& p) {
      if (hooks.progress) hooks.progress(i, tasks.size(), task.func->name, p);
    };
    auto result = search(*task.func, search_options, pool, model, experience, progress);
    if (!result) return std::move(result).error().context("tuning {}", task.func->name);
    Report report{task, std::move(*result)};
    db.add(record_of(report, options, pool.num_workers()));
    if (hooks.finished) MLC_TRY_VOID(hooks.finished(report));
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace mlc::tune
