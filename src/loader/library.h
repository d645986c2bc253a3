// Where a model's compiled library comes from. Two implementations, of which a build has one:
//
//   loader/compiler/library.cc      compiles as needed and caches (MLC_COMPILER=ON)
//   loader/no_compiler/library.cc   takes what `mlc_llm compile` made elsewhere (MLC_COMPILER=OFF: no LLVM)
#pragma once

#include <string>

#include "artifact/cache.h"
#include "base/thread_pool.h"
#include "loader/model_dir.h"
#include "runtime/machine_limits.h"

namespace mlc::loader {

// True if this program can compile.
extern const bool kHasCompiler;
// Where the library comes from when none is named, as --help says it.
std::string library_default();
// The path of the library to load.
Result<std::string> find_library(const artifact::Cache& cache, const ModelDir& dir, const ModelOptions& flags);

// For CpuModelRunner: measured if $MLC_PROFILE asks for a profile and there is a compiler to make the probes, else
// unknown.
Result<runtime::MachineLimits> library_limits(const ModelOptions& flags, ThreadPool& pool);

}  // namespace mlc::loader
