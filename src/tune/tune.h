// Tuning the kernels of a model: which, in what order, with how much time each, into a database.
//
//   MLC_TRY(auto kernels, compiler::model_kernels(config, "q4f16_1", compile_options));
//   MLC_TRY(auto tasks, select_kernels(kernels, target, {.pattern = "*matmul*"}));
//   MLC_TRY(auto reports, tune(tasks, options, pool, model.get(), db, hooks));
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "compiler/compile.h"
#include "compiler/tuning/database.h"
#include "compiler/tuning/workload.h"
#include "tune/cost_model.h"
#include "tune/search.h"

namespace mlc::tune {

struct Selection {
  std::string pattern = "*";  // of kernel names, as a shell matches file names
  int64_t rows = 64;          // of activations, for kernels that take any number of them
};

// A kernel whose rule leaves something open.
struct Task {
  const ir::PrimFunc* func = nullptr;  // of the ModelKernels given
  compiler::Workload workload;
  int64_t rows = 0;
  int64_t calls = 0;      // per step of the model
  double importance = 0;  // bytes and operations of a step, roughly as time; only compared
};
// Each workload once, the most important first. Fails when nothing matches, and names what there is.
Result<std::vector<Task>> select_kernels(const compiler::ModelKernels& kernels, const target::Target& target,
                                         const Selection& selection);

struct TuneOptions {
  target::Target target;
  int opt_level = 2;
  double seconds = 600;  // for all kernels together
  int trials = 64;       // per kernel
  uint64_t seed = 1;
};

struct Report {
  Task task;
  SearchResult result;
};

struct TuneHooks {  // any may be empty
  std::function<void(size_t done, size_t all, const std::string& kernel, const Point&)> progress;
  std::function<Result<void>(const Report&)> finished;  // after each kernel, its record is in the database; may stop it
};

// Searches one kernel after the other, each with its share of the time that is left, and adds a record for each to
// `db`. `model` may be null. Kernels that time leaves no room for are not in the result.
Result<std::vector<Report>> tune(const std::vector<Task>& tasks, const TuneOptions& options, ThreadPool& pool,
                                 CostModel* model, compiler::TuningDatabase& db, const TuneHooks& hooks);

}  // namespace mlc::tune
