// Design spaces: a schedule with random variables, what it decided, and other decisions.
//
// A rule asks for a value by name and gets the one decided for it, or else the one chosen by hand; what it asked stands
// in the trace, so that the trace of one run describes the space around it:
//
//   MLC_TRY(int64_t blocks, choose(s, decisions, {"column_blocks", {1, 2, 4, 8}}, 4));   // in the rule
//   Decisions d = decisions_of(schedule.trace());                                        // {"column_blocks": [4]}
//   MLC_TRY(Schedule other, schedule_func(f, target, mutate(schedule.trace(), rng)));    // rules/rules.h
//
// The rule is run again for new decisions, so that it may do different things for different values. A trace alone is
// replayed with other decisions by with_decisions(), which suffices where later instructions take the values (v0).
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "schedule/schedule.h"

namespace mlc::schedule {

// By the name of the random variable: one number for sample_categorical; for sample_perfect_tile the parts behind the
// outermost, which follows from the extent, so that a decision may serve loops of several extents. Empty: what was
// chosen by hand.
using Decisions = std::map<std::string, std::vector<int64_t>>;
std::string print(const Decisions& d);  // "column_blocks=4 rows=6,8"; "by hand" when empty

struct Categorical {
  std::string name;
  std::vector<int64_t> candidates;  // equally likely
};
// The decision for this variable, or `by_hand` (one of the candidates). Fails when the decision is no candidate.
Result<int64_t> choose(Schedule& s, const Decisions& d, const Categorical& variable, int64_t by_hand);
// The same for factors of a loop's constant extent: all parts, outermost first; `by_hand` has those behind the
// outermost (at least one). Fails when they do not divide the extent or the innermost is larger than allowed.
Result<std::vector<int64_t>> choose_tile(Schedule& s, const Decisions& d, const std::string& name, LoopRef loop,
                                         int64_t max_innermost, const std::vector<int64_t>& by_hand);

// What the sampling instructions of a trace decided.
Decisions decisions_of(const Trace& trace);
// All decisions of a trace, with other values in place of those that `d` names.
Trace with_decisions(const Trace& trace, const Decisions& d);

// One sampling instruction of a trace and all that it may decide.
struct RandomVariable {
  std::string name;
  std::vector<std::vector<int64_t>> values;
  std::vector<double> probabilities;  // one per value
};
std::vector<RandomVariable> random_variables(const Trace& trace);

// All variables drawn anew.
Decisions sample(const Trace& trace, std::mt19937_64& rng);
// One variable that has a choice takes another value; the same decisions when none has.
Decisions mutate(const Trace& trace, std::mt19937_64& rng);

}  // namespace mlc::schedule
