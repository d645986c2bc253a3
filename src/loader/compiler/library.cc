// A program with the compiler: libraries are compiled as they are needed.
#include "loader/library.h"

#include <optional>

#include "compiler/cached_library.h"
#include "loader/compiler/compile_options.h"
#include "loader/compiler/limits.h"
#include "loader/progress.h"

namespace mlc::loader {

const bool kHasCompiler = true;

std::string library_default() { return "compiled as needed and cached"; }

Result<std::string> find_library(const artifact::Cache& cache, const ModelDir& dir, const ModelOptions& flags) {
  if (!flags.model_lib.empty()) return flags.model_lib;
  MLC_TRY(compiler::CompileOptions options, compile_options(flags));
  if (options.context_window_size == 0) options.context_window_size = dir.config.context_window_size;
  std::optional<Progress> progress;
  options.progress = [&](const std::string& stage) {
    if (!progress) progress.emplace("compiling for this machine");
    progress->update(stage);
  };
  MLC_TRY(std::string path, compiler::cached_library(cache, dir.config.model, dir.config.quantization, options));
  if (progress) progress->done();
  return path;
}

Result<runtime::MachineLimits> library_limits(const ModelOptions& flags, ThreadPool& pool) {
  MLC_TRY(auto target, resolve_device(flags));
  return profile_limits(target, pool);
}

}  // namespace mlc::loader
