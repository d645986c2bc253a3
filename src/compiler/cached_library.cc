#include "compiler/cached_library.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/knobs.h"
#include "base/log.h"

namespace mlc::compiler {

using artifact::Cache;

namespace {

// True if the library at `path` has the digest recorded beside it.
bool digest_matches(const std::string& path) {
  auto recorded = read_file(path + ".sha256");
  if (!recorded) return false;
  auto actual = hash_file_hex(HashKind::kSha256, path);
  return actual && *actual == *recorded;
}

}  // namespace

Result<std::string> cached_library(const Cache& cache, const model::ModelConfig& config, const std::string& scheme,
                                   const CompileOptions& options) {
  MLC_TRY(CompileOptions resolved, resolve_options(config, scheme, options));
  const std::string key = sha256_hex(compile_key(config, scheme, resolved)).substr(0, 32);
  const std::string path = cache.library_path(key);
  const bool reuse = knob("MLC_DUMP").empty();  // who wants to see the stages wants them run
  if (reuse && digest_matches(path)) {
    Cache::touch(path);
    return path;
  }
  MLC_TRY(FileLock lock, FileLock::acquire(cache.lock_path(key)));
  if (digest_matches(path)) {
    if (reuse) return path;  // another process made it while this one waited
  } else if (path_exists(path)) {
    log::info("the cached library {} is damaged; compiling it again", path);
  }
  MLC_TRY_VOID(remove_all(path + ".sha256"));
  MLC_TRY(auto compiled, compile_model(config, scheme, resolved, path));
  MLC_TRY(std::string digest, hash_file_hex(HashKind::kSha256, path));
  MLC_TRY_VOID(write_file_atomic(path + ".sha256", digest));
  return path;
}

}  // namespace mlc::compiler
