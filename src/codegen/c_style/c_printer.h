// Lowered IR to the text of a C-like GPU language, and how to launch what it holds.
//
//   MLC_TRY(auto lowered, lower::run(module, target));              // target: "opencl -max-threads=256"
//   MLC_TRY(CProgram program, codegen::emit_c(lowered, target));
//   puts(program.source.c_str());
//   const CFunction& f = *program.find("rms_norm");
//   for (const CLaunch& launch : f.launches) {
//     MLC_TRY(auto groups, launch_groups(f, launch, sizes));
//   }
//
// A PrimFunc becomes one kernel per grid: one, unless several nests of blockIdx loops follow each other; these are
// launched in order. All kernels of a function take the same arguments: its buffers, then its sizes as 64-bit integers.
// The printer decides nothing. What it cannot say is an error that names the construct and who should have rewritten
// it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ir/func.h"
#include "target/target.h"

namespace mlc::codegen {

struct CLaunch {
  std::string kernel;              // its name in the source
  std::array<ir::Expr, 3> groups;  // x, y, z; over the function's sizes
  std::array<int64_t, 3> threads;  // of one group
  int64_t shared_bytes = 0;        // of one group
};
struct CFunction {
  std::string name;
  std::vector<ir::Var> sizes;
  std::vector<CLaunch> launches;
};
struct CProgram {
  std::string source;
  std::vector<CFunction> functions;
  const CFunction* find(const std::string& name) const;
};

// Errors: a target without a dialect; shared memory or threads beyond the target's; memory that no kernel can have.
Result<CProgram> emit_c(const ir::Module& lowered, const target::Target& target);

// The number of groups in each dimension for these sizes; one of them may be 0: nothing to launch.
Result<std::array<int64_t, 3>> launch_groups(const CFunction& f, const CLaunch& launch, std::span<const int64_t> sizes);

}  // namespace mlc::codegen
