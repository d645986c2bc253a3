// How each kind of kernel is scheduled for a target: the rule that a function's "rule" attribute names, as a sequence
// of schedule primitives. One file per rule, one line in rule_table(). What a rule may choose it asks by name
// (schedule/sampling.h); without decisions it takes what was chosen by hand. All decisions give the same bits.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ir/func.h"
#include "schedule/sampling.h"
#include "schedule/schedule.h"
#include "target/target.h"

namespace mlc::schedule {

struct Rule {
  std::string name;
  Result<Schedule> (*apply)(const ir::PrimFunc& f, const target::Target& target, const Decisions& decisions);
};
const std::vector<Rule>& rule_table();

// "matmul": blocks "matmul" (reduction; with "dot" for integer groups before it, or "dequantize"), then elementwise
// tails. Columns in vectors, several column blocks and a tile of rows in registers, weights streamed once.
Result<Schedule> matmul_rule(const ir::PrimFunc& f, const target::Target& target, const Decisions& decisions = {});
// "rowwise": rows in parallel, everything of a row under its loop, the innermost loop of each block vectorized where
// that is legal.
Result<Schedule> rowwise_rule(const ir::PrimFunc& f, const target::Target& target, const Decisions& decisions = {});
// "explicit": the emitter wrote the loops it wants.
Result<Schedule> explicit_rule(const ir::PrimFunc& f, const target::Target& target, const Decisions& decisions = {});

// One function by its rule. Fails when a decision is for no variable of the rule or no value of that variable.
Result<Schedule> schedule_func(const ir::PrimFunc& f, const target::Target& target, const Decisions& decisions = {});

// What was decided for a function; null or empty: by hand.
using DecisionsFor = std::function<Decisions(const ir::PrimFunc& f)>;
// Schedules every function by its rule and marks it "stage" = "scheduled". Decisions that do not fit a function are
// left aside with a warning.
Result<ir::Module> schedule_all(const ir::Module& m, const target::Target& target, const DecisionsFor& decided = {});

}  // namespace mlc::schedule
