// The cache of what is made from models: compiled libraries, converted model directories, packed weights.
//
//   MLC_TRY(Cache cache, Cache::open());                      // $MLC_LLM_HOME, else $XDG_CACHE_HOME/mlc_llm …
//   cache.model_path(key);   MLC_TRY(auto removed, cache.prune(max_bytes));
//
// Layout: <root>/{model_lib,model_weights/converted,packed}/<key>[.so|.bin], <root>/locks/<key>.lock; what is
// downloaded lies beside them (hub/fetch.h). Keys are SHA-256
// over everything that decides the content. An entry appears by rename under a lock, so that processes may race; it is
// checked against its recorded digest or description before use, and rebuilt when it does not match. Reading an entry
// marks it as used; prune() removes the least recently used first.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::artifact {

struct CacheEntry {
  std::string kind;  // "library", "model", "packed", "download"
  std::string path;
  uint64_t bytes = 0;
  int64_t last_used = 0;  // seconds since 1970
};

class Cache {
 public:
  // Creates the directories. Fails when the root cannot be written, naming it and MLC_LLM_HOME.
  static Result<Cache> open();
  static std::string default_root();

  const std::string& root() const { return root_; }
  std::string library_path(const std::string& key) const;
  std::string model_path(const std::string& key) const;
  std::string packed_dir() const;
  std::string lock_path(const std::string& key) const;

  Result<std::vector<CacheEntry>> list() const;  // least recently used first
  // Removes entries until at most max_bytes are left; returns what it removed. Entries in use by a running process stay
  // readable to it.
  Result<std::vector<CacheEntry>> prune(uint64_t max_bytes) const;
  static void touch(const std::string& path);

 private:
  explicit Cache(std::string root) : root_(std::move(root)) {}
  std::string root_;
};

// A key (32 hexadecimal digits) for the content of a directory of weights. Hashing gigabytes takes seconds, so the
// result is remembered under <root>/content_keys by the files' names, sizes, inodes and modification times.
Result<std::string> content_key(const Cache& cache, const std::string& dir);

}  // namespace mlc::artifact
