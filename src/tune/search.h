// The search for a kernel's schedule: evolutionary, guided by a learned cost model, decided by measurements.
//
// One generation: parents are drawn from the fastest schedules known, each child changes one decision of its parent,
// some children are drawn at random; those not measured yet are compiled in the order in which the cost model likes
// them, a batch is measured, and the model learns from it. (The way of MetaSchedule, Shao et al. 2022, and Ansor, Zheng
// et al. 2020.) Without a cost model the order is random. The search ends when the trials or the time are used up or
// nothing new can be found; the best are then measured again, beside the schedule by hand.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "compiler/tuning/database.h"
#include "ir/func.h"
#include "target/target.h"
#include "tune/cost_model.h"

namespace mlc::tune {

struct SearchOptions {
  target::Target target;
  int64_t rows = 1;  // of the activations
  int opt_level = 2;
  int trials = 64;            // candidates measured at most
  double seconds = 60;        // for this kernel; at least one batch is measured
  int batch = 8;              // measured together
  int population = 64;        // parents kept, and children made per generation
  double random_share = 0.2;  // of children, and of what is measured, whatever the model says
  int rounds = 5;             // per batch; three times as many for the last comparison
  uint64_t seed = 1;
  std::vector<compiler::Measured> known;  // from a database: the fastest of them are tried first
};

// After each batch: how long the search took so far, how many candidates are measured, the best gain so far.
struct Point {
  double seconds = 0;
  int measured = 0;
  double gain = 1;
};

struct SearchResult {
  double by_hand_seconds = 0;  // medians, measured side by side
  double best_seconds = 0;
  schedule::Decisions by_hand, best;  // equal when nothing faster was found
  std::vector<compiler::Measured> tried;
  int refused = 0;                              // decisions that the schedule or the code generator refused
  std::vector<schedule::Decisions> other_bits;  // gave other results than the schedule by hand: never taken
  std::vector<Point> history;
  double gain() const { return by_hand_seconds / best_seconds; }
};

// What was measured in this run, of all kernels: what the cost model learns from. Values are logarithms of gains.
struct Experience {
  std::vector<std::vector<float>> features;
  std::vector<float> values;
};

// How many schedules the variables span, counted from the schedule by hand; 1: nothing to search.
int64_t space_size(const ir::PrimFunc& unscheduled, const target::Target& target);

// `model` may be null. `progress` may be empty.
Result<SearchResult> search(const ir::PrimFunc& unscheduled, const SearchOptions& options, ThreadPool& pool,
                            CostModel* model, Experience& experience,
                            const std::function<void(const Point&)>& progress);

}  // namespace mlc::tune
