// The model's parameters in the layout that its kernels read.
//
//   ParamOptions options{.cache_file = dir + "/" + param_cache_key(artifact, source_key) + ".bin"};
//   MLC_TRY(auto params, ParamStore::open(*module, *source, pool, options));
//   void* p = params->data(3);             // of artifact.params[3], aligned to 64 bytes
//
// With a cache file: it is mapped if it is whole and made for this very layout and source; otherwise it is built (under
// a lock, so that processes may race) and replaced. If it cannot be written (full disk, read-only), the parameters are
// packed into memory and a warning says why.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "artifact/artifact.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "runtime/module.h"
#include "runtime/tensor.h"
#include "weights/tensor_source.h"

namespace mlc::runtime {

struct ParamOptions {
  std::string cache_file;    // empty: pack into memory
  std::string lock_file;     // empty: cache_file + ".lock"
  std::string source_key;    // identifies the contents of the source
  bool lock_memory = false;  // mlock; a failure is a warning
  // Bytes packed so far of all, from one thread at a time; not called when the cache file is used.
  std::function<void(int64_t done_bytes, int64_t total_bytes)> progress;
};

// 64 hexadecimal digits for the layout of all parameters and the contents of their source.
std::string param_cache_key(const artifact::Artifact& artifact, const std::string& source_key);

class ParamStore {
 public:
  static Result<std::shared_ptr<const ParamStore>> open(const Module& module, const weights::TensorSource& source,
                                                        ThreadPool& pool, const ParamOptions& options);
  // Random but plausible weights, packed into memory, for measurements without a model.
  static Result<std::shared_ptr<const ParamStore>> synthetic(const Module& module, ThreadPool& pool, uint64_t seed);

  // Kernels do not write through it.
  void* data(size_t param) const { return pointers_[param]; }
  size_t size() const { return pointers_.size(); }
  int64_t total_bytes() const { return total_bytes_; }
  bool from_cache() const { return from_cache_; }  // the file was there and was used as it is

 private:
  ParamStore() = default;
  std::vector<void*> pointers_;
  int64_t total_bytes_ = 0;
  bool from_cache_ = false;
  std::shared_ptr<const void> owner_;  // the mapping or the memory
};

// Every source that the artifact needs is there with the right dtype and shape; the first problem is named.
Result<void> check_sources(const artifact::Artifact& artifact, const weights::TensorSource& source);

}  // namespace mlc::runtime
