// The map of lowering: from scheduled blocks to the loops and vectors that a code generator prints.
//
//   MLC_TRY(ir::Module lowered, lower::run(scheduled, target));
//   lower::PassHooks hooks;  hooks.after = [&](std::string_view pass, const ir::Module& m) { dump(pass, m); };
//   MLC_TRY(ir::Module same, lower::run(scheduled, target, hooks));
//
// Every pass is a row of passes(): a name, a function of one PrimFunc, the level that it leaves the IR in. One wrapper
// runs them: it times, dumps (MLC_DUMP), skips (MLC_DISABLE_PASS) and verifies each alike.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ir/func.h"
#include "ir/verify.h"
#include "target/target.h"

namespace mlc::lower {

enum class Machines { kAll, kCpus, kGpus };

struct Pass {
  const char* name;
  ir::PrimFunc (*run)(const ir::PrimFunc&, const target::Target&);
  ir::Level after;  // what verify() must accept afterwards
  bool optional;    // an optimization: may be switched off
  Machines machines;
  const char* purpose;  // one line for help and docs
};

// In the order in which they run.
const std::vector<Pass>& passes();

struct PassHooks {
  std::function<void(std::string_view pass, const ir::Module& after)> after;  // called after each pass; may be empty
  std::set<std::string> disabled;  // passes to skip, besides those of MLC_DISABLE_PASS (comma separated)
#ifdef MLC_DCHECK_ENABLED
  bool verify = true;  // after each pass; the result of the last is always verified
#else
  bool verify = false;
#endif
};

// The module with every function lowered, attrs["stage"] = "lowered". Errors: a pass in `disabled` that does not exist
// or is not optional; a function that cannot be lowered (the message names function, pass and reason).
Result<ir::Module> run(const ir::Module& m, const target::Target& target, const PassHooks& hooks = {});

}  // namespace mlc::lower
