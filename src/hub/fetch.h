// A model of a hub as a directory: found in the cache, or downloaded into it.
//
//   MLC_TRY(RepoRef ref, parse_repo_ref("HF://Qwen/Qwen2-0.5B", settings.endpoint));
//   MLC_TRY(std::string dir, fetch_model(ref, settings, {.cache_root = root}));
//
// Layout, as MLC LLM's: <root>/model_weights/hf/<user>/<repo>, with "@<revision>" unless it is main; other hubs have
// their host in the place of "hf". A model without weights (for commands that need only its description) is below
// <root>/model_config. A directory appears by rename once all of its files have their checksums; until then they are in
// "<repo>.partial" beside it, which the next attempt goes on with. One process downloads, others wait for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "hub/repo_ref.h"
#include "hub/settings.h"

namespace mlc::hub {

struct FetchProgress {
  std::string commit;
  std::string dir;  // where it will be
  size_t files = 0;
  uint64_t bytes_done = 0, bytes_total = 0;
};

struct FetchOptions {
  std::string cache_root;
  bool weights = true;                                  // false: descriptions and the tokenizer are enough
  std::function<void(const FetchProgress&)> progress;   // of the weights and large files: ten times a second
  std::function<void(const std::string& dir)> waiting;  // another process is downloading it
};

// Errors: kNotFound (no such model, or it may not be read; offline: it is not there), kUnavailable (network), kCorrupt
// (checksums), kIo (disk full, permissions). After any of them the model's directory is as it was.
Result<std::string> fetch_model(const RepoRef& ref, const Settings& settings, const FetchOptions& options);

}  // namespace mlc::hub
