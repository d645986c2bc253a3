// Lowered IR to machine code: ELF object bytes for a target, through LLVM.
//
//   MLC_TRY(auto lowered, lower::run(module, target));
//   MLC_TRY(std::string object, codegen::emit_object(lowered, target));
//   MLC_TRY(std::string facts, codegen::emit_data({{"mlc_artifact_json", json}}, target));
//   MLC_TRY_VOID(codegen::link_shared({object, facts}, "lib.so"));          // codegen/llvm/link.h
//
// Every PrimFunc becomes one exported function of type artifact::KernelFn (artifact/abi.h) of the same name:
//  * buffers in parameter order, then sizes. Different buffers never overlap, unless attrs["may_alias"] is 1.
//  * the outermost kParallel loop is partitioned statically: worker w of n runs [extent*w/n, extent*(w+1)/n). A kernel
//    without one runs on worker 0 alone. Nothing but facts may stand outside the parallel loop.
//  * allocations live on the stack (EmitOptions::max_stack_bytes); larger or size-dependent ones are an error: the
//  graph
//    plans memory, kernels do not.
// Floating point is strict: no contraction, no reassociation. Objects import no symbols: an object that would is an
// error that names them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ir/func.h"
#include "target/target.h"

namespace mlc::codegen {

struct EmitOptions {
  int opt_level = 3;                     // 0 … 3, as LLVM's -O
  int64_t max_stack_bytes = 256 * 1024;  // of local buffers alive at once in one kernel
  int num_threads = 1;                   // emit_objects: how many modules are compiled at once
};

// One ELF object with all functions of the module. Same input, same bytes.
Result<std::string> emit_object(const ir::Module& lowered, const target::Target& target,
                                const EmitOptions& options = {});
// The same as several objects (a few functions each), compiled by num_threads threads; the result does not depend on
// their number.
Result<std::vector<std::string>> emit_objects(const ir::Module& lowered, const target::Target& target,
                                              const EmitOptions& options = {});

// For dumps and tests: LLVM IR as built (optimized = false) or after LLVM's passes; assembly of the target.
Result<std::string> emit_llvm_text(const ir::Module& lowered, const target::Target& target, bool optimized,
                                   const EmitOptions& options = {});
Result<std::string> emit_assembly(const ir::Module& lowered, const target::Target& target,
                                  const EmitOptions& options = {});

// Read-only data in the library: `symbol` names the bytes, `<symbol>_size` a uint64_t with their number.
struct DataBlob {
  std::string symbol;
  std::string bytes;
};
Result<std::string> emit_data(const std::vector<DataBlob>& blobs, const target::Target& target);

}  // namespace mlc::codegen
