// The compile tower as one table of stages: model description in, shared library out. No weights are read.
//
//   CompileOptions o;  o.target = target;
//   MLC_TRY(Artifact a, compile_model(config, "q4f16_1", o, "lib.so"));
//
// Stages, each printable (MLC_DUMP): graph -> expanded -> fused -> tir -> scheduled -> (lowering passes) -> llvm -> asm
// -> artifact.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "artifact/artifact.h"
#include "base/result.h"
#include "compiler/dump.h"
#include "compiler/tuning/database.h"
#include "graph/optimize.h"
#include "graph/to_ir.h"
#include "model/config.h"
#include "target/target.h"

namespace mlc::compiler {

// How packed weights lie: changes when packed bytes do.
inline constexpr const char* kLayoutId = "n16k32s4";

struct CompileOptions {
  target::Target target;
  graph::Activation activation = graph::Activation::kInt8;
  int64_t context_window_size = 0;                         // 0: the model's
  int64_t prefill_chunk_size = 0;                          // 0: min(512, context)
  int64_t max_batch_size = 0;                              // logit rows of one step; 0: 64
  std::optional<DType> kv_dtype;                           // f32, f16, bf16 or i8; none: the scheme's float type
  int opt_level = 3;                                       // LLVM's
  int num_threads = 1;                                     // compiling in parallel; does not change the result
  std::shared_ptr<const TuningDatabase> tuning;            // consulted before the shipped defaults; may be null
  std::function<void(const std::string& stage)> progress;  // may be empty
};

// What the options come to for a model: zeros replaced, limits checked.
Result<CompileOptions> resolve_options(const model::ModelConfig& config, const std::string& scheme,
                                       CompileOptions options);

// Compiles and links to `out_path` (complete or not there at all); returns the artifact that is embedded in it.
Result<artifact::Artifact> compile_model(const model::ModelConfig& config, const std::string& scheme,
                                         const CompileOptions& options, const std::string& out_path);

// The kernels of a model before they are scheduled, and the plan that calls them: what the tuner works on.
struct ModelKernels {
  ir::Module module;
  artifact::Plan plan;
};
Result<ModelKernels> model_kernels(const model::ModelConfig& config, const std::string& scheme,
                                   const CompileOptions& options);

// Everything that decides the library's bytes, as stable text: the compile cache hashes it.
std::string compile_key(const model::ModelConfig& config, const std::string& scheme, const CompileOptions& options);

// The dtype in which keys and values are stored under a scheme: the scheme's own float type.
Result<DType> kv_dtype_of(const std::string& scheme);

}  // namespace mlc::compiler
