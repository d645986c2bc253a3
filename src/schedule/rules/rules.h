// How each kind of kernel is scheduled for a target: the rule that a function's "rule" attribute names, as a sequence
// of schedule primitives. One file per rule, one line in rule_table().
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ir/func.h"
#include "schedule/schedule.h"
#include "target/target.h"

namespace mlc::schedule {

struct Rule {
  std::string name;
  Result<Schedule> (*apply)(const ir::PrimFunc& f, const target::Target& target);
};
const std::vector<Rule>& rule_table();

// "matmul": blocks "matmul" (reduction; with "dot" for integer groups before it, or "dequantize"), then elementwise
// tails. Columns in vectors, several column blocks and a tile of rows in registers, weights streamed once.
Result<Schedule> matmul_rule(const ir::PrimFunc& f, const target::Target& target);
// "rowwise": rows in parallel, everything of a row under its loop, the innermost loop of each block vectorized where
// that is legal.
Result<Schedule> rowwise_rule(const ir::PrimFunc& f, const target::Target& target);
// "explicit": the emitter wrote the loops it wants.
Result<Schedule> explicit_rule(const ir::PrimFunc& f, const target::Target& target);

// Schedules every function by its rule and marks it "stage" = "scheduled".
Result<ir::Module> schedule_all(const ir::Module& m, const target::Target& target);

}  // namespace mlc::schedule
