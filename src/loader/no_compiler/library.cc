// A program without the compiler: libraries are made elsewhere, by `mlc_llm compile`.
#include "loader/library.h"

#include "base/file.h"
#include "runtime/cpu/library.h"

namespace mlc::loader {

const bool kHasCompiler = false;

std::string library_default() { return std::string("lib") + runtime::kLibrarySuffix + " in the model's directory"; }

Result<std::string> find_library(const artifact::Cache&, const ModelDir& dir, const ModelOptions& flags) {
  if (!flags.model_lib.empty()) return flags.model_lib;
  const std::string path = join_path(dir.dir, std::string("lib") + runtime::kLibrarySuffix);
  if (path_exists(path)) return path;
  return error(ErrorCode::kNotFound,
               "there is no compiled library {} and no --model-lib; this program has no compiler: run `mlc_llm compile "
               "{} -o {}` with one that has",
               path, dir.dir, path);
}

Result<runtime::MachineLimits> library_limits(const ModelOptions&, ThreadPool&) { return runtime::MachineLimits{}; }

}  // namespace mlc::loader
