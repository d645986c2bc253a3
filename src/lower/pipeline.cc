#include "lower/pipeline.h"

#include <algorithm>

#include "arith/simplify.h"
#include "base/knobs.h"
#include "base/span.h"
#include "ir/text.h"
#include "lower/bind_threads.h"
#include "lower/compact_buffers.h"
#include "lower/expand_math.h"
#include "lower/insert_barriers.h"
#include "lower/insert_prefetch.h"
#include "lower/legalize_dot.h"
#include "lower/legalize_dtypes.h"
#include "lower/legalize_parallel.h"
#include "lower/lower_blocks.h"
#include "lower/partition_loops.h"
#include "lower/scalarize_vectors.h"
#include "lower/sum_in_i16.h"
#include "lower/unroll_loops.h"
#include "lower/vectorize_loops.h"
#include "lower/widen_inputs.h"

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

Result<void> check_barriers(const ir::Module& m) {
  for (const auto& f : m.functions) {
    if (!divergent_barrier(f)) continue;
    return error(ErrorCode::kUnsupported,
                 "lowering {}: threads of a work-group must meet under a condition or in a loop that differs between "
                 "them; bind the loops of both phases to the same threads, or keep the intermediate in local memory",
                 f.name);
  }
  return {};
}

bool runs_on(const Pass& pass, const Target& target) {
  return pass.machines == Machines::kAll || (pass.machines == Machines::kCpus) == target.is_cpu();
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
  constexpr Level kGraph = Level::kGraph, kLowered = Level::kLowered;
  constexpr Machines kAll = Machines::kAll, kCpus = Machines::kCpus, kGpus = Machines::kGpus;
  static const auto* table = new std::vector<Pass>{
      {"lower_blocks", any_target<lower_blocks>, kGraph, false, kAll, "blocks to loops, guards, allocations"},
      {"legalize_parallel", any_target<legalize_parallel>, kGraph, false, kCpus, "one parallel loop nest"},
      {"simplify_loops", any_target<simplify_pass>, kGraph, true, kAll, "indices and guards, with loop bounds"},
      {"compact_buffers", any_target<compact_buffers>, kGraph, false, kAll,
       "intermediate buffers shrink to their live part; what a parallel loop keeps to itself becomes its own"},
      {"bind_threads", any_target<bind_threads>, kGraph, false, kGpus, "one grid of threads around all phases"},
      {"simplify_threads", any_target<simplify_pass>, kGraph, true, kGpus, "guards of single threads"},
      {"compact_threads", any_target<compact_buffers>, kGraph, false, kGpus, "local buffers shrink to one thread's"},
      {"insert_barriers", any_target<insert_barriers>, kGraph, false, kGpus, "threads meet between phases"},
      {"partition_loops", any_target<partition_loops>, kGraph, true, kCpus, "hot loops lose the guards of their tail"},
      {"simplify_partitions", any_target<simplify_pass>, kGraph, true, kCpus, "drop empty tails"},
      {"vectorize_loops", any_target<vectorize_loops>, kGraph, false, kAll, "vectorized loops to vector code"},
      {"scalarize_vectors", scalarize_vectors, kGraph, false, kGpus, "vector code as the language has it"},
      {"sum_in_i16", sum_in_i16, kGraph, true, kCpus, "sums of 4-bit products in 16 bits, widened once per group"},
      {"widen_inputs", widen_inputs, kGraph, true, kCpus, "inputs of byte products to 16 bits once per group"},
      {"legalize_dot", legalize_dot, kGraph, false, kAll, "integer dot products as the target has them"},
      {"legalize_dtypes", legalize_dtypes, kGraph, false, kAll, "16-bit float arithmetic in f32"},
      {"expand_math", expand_math, kGraph, false, kCpus, "exp and its kin as polynomials"},
      {"unroll_loops", any_target<unroll_loops>, kGraph, false, kAll, "unrolled loops to straight-line code"},
      {"insert_prefetch", any_target<insert_prefetch>, kGraph, true, kCpus, "software prefetch where a schedule asks"},
      {"simplify", any_target<simplify_pass>, kLowered, true, kAll, "the final form"},
  };
  return *table;
}

Result<ir::Module> run(const ir::Module& m, const target::Target& target, const PassHooks& hooks) {
  MLC_SPAN("lower");
  MLC_TRY(const auto disabled, disabled_passes(hooks));
  ir::Module result = m;
  for (const auto& pass : passes()) {
    if (disabled.count(pass.name) || !runs_on(pass, target)) continue;
    MLC_TRY_VOID(run_pass(pass, result, target, hooks));
  }
  for (auto& f : result.functions) f.attrs["stage"] = std::string("lowered");
  MLC_TRY_VOID(check(result, Level::kLowered, "the last"));
  if (!target.is_cpu()) MLC_TRY_VOID(check_barriers(result));
  return result;
}

}  // namespace mlc::lower
