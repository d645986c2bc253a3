#include "loader/compiler/compile_options.h"

#include <optional>

#include "artifact/cache.h"
#include "base/file.h"
#include "base/log.h"
#include "codegen/llvm/host.h"

namespace mlc::loader {

Result<target::Target> resolve_device(const ModelOptions& flags) {
  if (flags.device != "auto" && flags.device != "cpu" && flags.device != "cpu:0") {
    return error(ErrorCode::kUnsupported, "--device {} is not supported; use auto or cpu", flags.device);
  }
  if (flags.target.empty() && flags.mcpu.empty()) return codegen::native_target();
  std::string text = flags.target.empty() ? "host" : flags.target;
  if (!flags.mcpu.empty()) text = (flags.target.empty() ? std::string("cpu") : flags.target) + " -mcpu=" + flags.mcpu;
  MLC_TRY(target::Target parsed, target::Target::parse(text));
  return codegen::resolve_target(parsed);
}

Result<int> resolve_opt_level(const std::string& opt) {
  if (opt.size() == 2 && opt[0] == 'O' && opt[1] >= '0' && opt[1] <= '3') return opt[1] - '0';
  return error("--opt is \"{}\", expected O0, O1, O2 or O3", opt);
}

Result<graph::Activation> resolve_activation(const std::string& name) {
  if (name == "int8") return graph::Activation::kInt8;
  if (name == "f32") return graph::Activation::kFloat32;
  return error("--activation is \"{}\", expected int8 or f32", name);
}

Result<std::optional<DType>> resolve_kv_dtype(const std::string& name) {
  if (name == "auto") return std::optional<DType>();
  if (name == "f32") return std::optional(DType::f32());
  if (name == "f16") return std::optional(DType::f16());
  if (name == "bf16") return std::optional(DType::bf16());
  if (name == "int8") return std::optional(DType::i8());
  return error("--kv-cache-dtype is \"{}\", expected auto, f32, f16, bf16 or int8", name);
}

std::string default_tuning_path() { return join_path(artifact::Cache::default_root(), "tuning.jsonl"); }

Result<std::shared_ptr<const compiler::TuningDatabase>> open_tuning(const std::string& tuning_db) {
  using compiler::TuningDatabase;
  const bool automatic = tuning_db == "auto";
  const std::string path = automatic ? default_tuning_path() : tuning_db;
  if (tuning_db == "none" || (automatic && !path_exists(path))) return std::shared_ptr<const TuningDatabase>();
  std::vector<std::string> problems;
  auto db = TuningDatabase::load(path, automatic ? &problems : nullptr);
  if (!db && automatic) {
    log::warn("{}; going on without it", db.error().message);
    return std::shared_ptr<const TuningDatabase>();
  }
  if (!db) return std::move(db).error().context("--tuning-db");
  if (!problems.empty()) {
    log::warn("{}; {} of {} tuning records are left out", problems[0], problems.size(),
              problems.size() + db->records().size());
  }
  return std::make_shared<const TuningDatabase>(std::move(*db));
}

Result<compiler::CompileOptions> compile_options(const ModelOptions& flags) {
  compiler::CompileOptions o;
  MLC_TRY(o.target, resolve_device(flags));
  MLC_TRY(o.activation, resolve_activation(flags.activation));
  MLC_TRY(o.kv_dtype, resolve_kv_dtype(flags.kv_cache_dtype));
  MLC_TRY(o.opt_level, resolve_opt_level(flags.opt));
  MLC_TRY(o.tuning, open_tuning(flags.tuning_db));
  o.num_threads = resolve_threads(flags.threads);
  o.context_window_size = flags.context_window_size;
  o.prefill_chunk_size = flags.prefill_chunk_size;
  o.max_batch_size = flags.max_batch_size;
  return o;
}

}  // namespace mlc::loader
