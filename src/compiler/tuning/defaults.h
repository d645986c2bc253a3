// Decisions that ship with the program: per instruction set and kind of kernel, for machines that were never tuned.
//
//   Decisions d = decide(func, target, database);   // the database's, else the shipped ones, else none (by hand)
//
// A shipped default is for all sizes of a family, so it may not fit a kernel (a column count that it does not divide):
// then what was chosen by hand stays. The data files stand in defaults/; `mlc_llm tune export` makes them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "compiler/tuning/database.h"
#include "ir/func.h"
#include "schedule/sampling.h"
#include "target/target.h"

namespace mlc::compiler {

struct FamilyDefault {
  schedule::Decisions decisions;
  double gain = 1;  // geometric mean over kernels of time by hand / time with these
  int kernels = 0;  // how many it was taken from
};
using FamilyDefaults = std::map<std::string, FamilyDefault>;  // by Workload::family

// JSON lines with "family", "decisions", "gain", "kernels". Errors name the line.
Result<FamilyDefaults> parse_defaults(std::string_view text, const std::string& where);
std::string defaults_text(const FamilyDefaults& defaults);

// What is compiled in for an instruction set (isa_of); empty when nothing was measured for it.
const FamilyDefaults& shipped_defaults(const std::string& isa);

// Per family of a database's records for an instruction set: the decisions with the best mean gain among those that
// were tried for all of the family's kernels. Families in which nothing gains at least 2 % are left out.
FamilyDefaults generalize(const TuningDatabase& db, const std::string& isa);

// What a kernel is scheduled with. `db` may be null.
schedule::Decisions decide(const ir::PrimFunc& unscheduled, const target::Target& target, const TuningDatabase* db);

}  // namespace mlc::compiler
