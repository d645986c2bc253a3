#include "lower/pipeline.h"

#include <algorithm>

#include "arith/simplify.h"
#include "base/knobs.h"
#include "base/span.h"
#include "ir/text.h"
#include "lower/compact_buffers.h"
#include "lower/expand_math.h"
#include "lower/legalize_dot.h"
#include "lower/legalize_dtypes.h"
#include "lower/legalize_parallel.h"
#include "lower/lower_blocks.h"
#include "lower/partition_loops.h"
#include "lower/unroll_loops.h"
#include "lower/vectorize_loops.h"

namespace mlc::lower {
namespace {

using ir::Level;
using ir::PrimFunc;
using target::Target;

// Adapts passes that do not ask the target.
template <PrimFunc (*F)(const PrimFunc&)>
PrimFunc any_target(const PrimFunc& f, const Target&) {
  return F(f);
}
PrimFunc simplify_pass(const PrimFunc& f) { return arith::simplify(f); }

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  std::string name;
  for (const char c : text + ",") {
    if (c != ',') {
      name += c;
    } else if (!name.empty()) {
      names.push_back(std::move(name));
      name.clear();
    }
  }
  return names;
}

Result<std::set<std::string>> disabled_passes(const PassHooks& hooks) {
  std::set<std::string> names = hooks.disabled;
  for (auto& n : split_names(knob("MLC_DISABLE_PASS"))) names.insert(n);
  for (const auto& n : names) {
    const auto& all = passes();
    auto it = std::find_if(all.begin(), all.end(), [&](const Pass& p) { return n == p.name; });
    std::string optional;
    for (const auto& p : all) {
      if (p.optional) optional += (optional.empty() ? "" : ", ") + std::string(p.name);
    }
    if (it == all.end()) return error("there is no pass '{}' to switch off; these can be: {}", n, optional);
    if (!it->optional) return error("the pass '{}' cannot be switched off; these can be: {}", n, optional);
  }
  return names;
}

Result<void> check(const ir::Module& m, Level level, const char* pass) {
  for (const auto& f : m.functions) {
    if (auto ok = ir::verify(f, level); !ok) {
      return error(ErrorCode::kUnsupported, "lowering {}: after pass {}: {}", f.name, pass, ok.error().message);
    }
  }
  return {};
}

Result<void> run_pass(const Pass& pass, ir::Module& m, const Target& target, const PassHooks& hooks) {
  MLC_SPAN(fmt::format("lower:{}", pass.name));
  for (auto& f : m.functions) f = pass.run(f, target);
  if (hooks.after) hooks.after(pass.name, m);
  if (hooks.verify) return check(m, pass.after, pass.name);
  return {};
}

}  // namespace

const std::vector<Pass>& passes() {
  static const auto* table = new std::vector<Pass>{
      {"lower_blocks", any_target<lower_blocks>, Level::kGraph, false, false, "blocks to loops, guards, allocations"},
      {"legalize_parallel", any_target<legalize_parallel>, Level::kGraph, false, true, "one parallel loop nest"},
      {"simplify_loops", any_target<simplify_pass>, Level::kGraph, true, false, "indices and guards, with loop bounds"},
      {"compact_buffers", any_target<compact_buffers>, Level::kGraph, true, false,
       "intermediate buffers shrink to their live part"},
      {"partition_loops", any_target<partition_loops>, Level::kGraph, true, true,
       "hot loops lose the guards of their tail"},
      {"simplify_partitions", any_target<simplify_pass>, Level::kGraph, true, false, "drop empty tails"},
      {"vectorize_loops", any_target<vectorize_loops>, Level::kGraph, false, false, "vectorized loops to vector code"},
      {"legalize_dot", legalize_dot, Level::kGraph, false, false, "integer dot products as the target has them"},
      {"legalize_dot", legalize_dot, Level::kGraph, false, false, "integer dot products as the target has them"},
      {"legalize_dtypes", legalize_dtypes, Level::kGraph, false, false, "16-bit float arithmetic in f32"},
      {"expand_math", expand_math, Level::kGraph, false, true, "exp and its kin as polynomials"},
      {"unroll_loops", any_target<unroll_loops>, Level::kGraph, false, false, "unrolled loops to straight-line code"},
      {"simplify", any_target<simplify_pass>, Level::kLowered, true, false, "the final form"},
  };
  return *table;
}

Result<ir::Module> run(const ir::Module& m, const target::Target& target, const PassHooks& hooks) {
  MLC_SPAN("lower");
  MLC_TRY(const auto disabled, disabled_passes(hooks));
  ir::Module result = m;
  for (const auto& pass : passes()) {
    if (disabled.count(pass.name) || (pass.cpu_only && !target.is_cpu())) continue;
    MLC_TRY_VOID(run_pass(pass, result, target, hooks));
  }
  for (auto& f : result.functions) f.attrs["stage"] = std::string("lowered");
  MLC_TRY_VOID(check(result, Level::kLowered, "the last"));
  return result;
}

}  // namespace mlc::lower
