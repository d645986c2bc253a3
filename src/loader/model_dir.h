// From what the user names to a model directory: a Hugging Face directory is converted into the cache, an MLC model
// directory is used as it is.
#pragma once

#include <string>

#include "artifact/cache.h"
#include "model/chat_config.h"

namespace mlc::loader {

// Flags that every command with a model shares.
struct ModelOptions {
  std::string model;                    // directory, or the name of a hub's model
  std::string model_lib;                // --model-lib; empty: compiled as needed
  std::string quantization;             // --quantization; empty: the directory's, or the default scheme
  std::string device = "auto";          // auto or cpu
  std::string target;                   // --target; empty: this machine
  std::string mcpu;                     // --mcpu
  std::string activation = "int8";      // int8 or f32
  std::string kv_cache_dtype = "auto";  // auto, f32, f16, bf16 or int8
  std::string opt = "O2";               // O0 … O3
  std::string tuning_db = "auto";       // --tuning-db: auto, none or a file
  int threads = 0;                      // 0: the cores this process may use
  int64_t context_window_size = 0, prefill_chunk_size = 0, max_batch_size = 0;  // 0: the model's
};

struct ModelDir {
  std::string dir;         // an MLC model directory
  std::string source_key;  // identifies its weights
  bool converted = false;  // it is a conversion in the cache, which may be made again
  model::ChatConfig config;
};

// Of bench --synthetic, and of what is exported to be compared with it.
inline constexpr uint64_t kSyntheticSeed = 1;

int resolve_threads(int threads);

// Finds, downloads or makes the MLC model directory. Slow steps show their progress.
Result<ModelDir> open_model_dir(const artifact::Cache& cache, const ModelOptions& flags);
// For a conversion whose weights were found damaged: removes it unless another process has made it anew meanwhile, and
// makes it again.
Result<ModelDir> convert_again(const artifact::Cache& cache, const ModelDir& damaged, const ModelOptions& flags);

}  // namespace mlc::loader
