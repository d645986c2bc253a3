// What was measured: the best decisions per kernel and machine, and all that were tried. A file of JSON lines, one
// record each, so that databases can be appended to and compared with the usual tools.
//
//   MLC_TRY(TuningDatabase db, TuningDatabase::load("tuning.jsonl"));
//   const TuningRecord* r = db.find(workload_of(func).hash, target.str());   // null: not tuned
//   other.merge(db);  MLC_TRY_VOID(other.save("merged.jsonl"));
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "schedule/sampling.h"

namespace mlc::compiler {

struct Measured {
  schedule::Decisions decisions;
  double seconds = 0;  // of one call
};

struct TuningRecord {
  std::string workload;  // Workload::hash
  std::string target;    // Target::str()
  std::string kernel;    // for people: the function's name
  std::string family;    // Workload::family
  std::string isa;       // isa_of(target)
  std::string build;     // of the compiler that measured
  std::string layout;    // of packed weights
  int64_t rows = 0;      // of the activations when it was measured
  int threads = 0;
  schedule::Decisions decisions;  // the best
  double seconds = 0;             // median of one call with them
  double by_hand_seconds = 0;     // and of the schedule that the rule chooses by itself, measured side by side
  std::vector<Measured> tried;    // all that gave the same bits, the best included
};

class TuningDatabase {
 public:
  // A file that is not there is an error (kNotFound). A line that is no record is an error that names it; with
  // `problems`, it is left out and described there.
  static Result<TuningDatabase> load(const std::string& path, std::vector<std::string>* problems = nullptr);
  static Result<TuningDatabase> parse(std::string_view text, const std::string& where,
                                      std::vector<std::string>* problems = nullptr);
  Result<void> save(const std::string& path) const;  // appears whole or not at all
  std::string text() const;

  // Of two records for the same workload and target the faster one stays, with what both have tried.
  void add(TuningRecord record);
  void merge(const TuningDatabase& other);

  const TuningRecord* find(const std::string& workload, const std::string& target) const;
  const std::map<std::pair<std::string, std::string>, TuningRecord>& records() const { return records_; }
  // Of what is decided for a target; times do not count. Empty when nothing is.
  std::string digest(const std::string& target) const;

 private:
  std::map<std::pair<std::string, std::string>, TuningRecord> records_;  // by workload and target
};

}  // namespace mlc::compiler
