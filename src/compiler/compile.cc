#include "compiler/compile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "artifact/abi.h"
#include "base/build_id.h"
#include "base/knobs.h"
#include "codegen/llvm/emit.h"
#include "codegen/llvm/host.h"
#include "codegen/llvm/link.h"
#include "compiler/assemble.h"
#include "compiler/tuning/defaults.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "lower/pipeline.h"
#include "lower/sum_in_i16.h"
#include "model/arch/arch.h"
#include "quant/scheme.h"
#include "schedule/rules/rules.h"

namespace mlc::compiler {
namespace {

// What runs through the stages.
struct Work {
  const model::ModelConfig& config;
  const std::string& scheme;
  const CompileOptions& options;
  Dumper dumper = Dumper::from_environment();
  graph::Graph graph = {};
  graph::Program program = {};
  artifact::Artifact artifact = {};
  ir::Module module = {};
  std::vector<std::string> objects = {};
};

// AMD's multiply pipes do twice as many bf16 products as f32 ones; Intel's, up to Emerald Rapids, half as many.
bool has_fast_bf16_dots(const target::Target& target) {
  return target.has("avx512bf16") && target.cpu.rfind("znver", 0) == 0;
}

// Half of the registers for sums. With 256 bits, sums of eight rows and 16 columns would fill all sixteen.
graph::Tiling tiling(const target::Target& target) {
  if (!target.is_cpu()) return {};
  const int64_t registers = target.vector_bits() >= 512 || target.is_aarch64() ? 32 : 16;
  return {.largest_tile = target.vector_bits() == 256 ? 4 : 8,
          .register_sums = std::max<int64_t>(1, registers * target.vector_bits() / 512 / 2)};
}

Result<void> build_stage(Work& w) {
  const DType kv = *w.options.kv_dtype;
  w.artifact.facts = assemble_facts(w.config, w.scheme, w.options);
  w.artifact.facts.kv_dtype = kv;
  MLC_TRY(w.graph, model::build_graph(w.config, w.scheme, kv));
  w.dumper.write("graph", [&] { return print(w.graph); });
  return {};
}

Result<void> optimize_stage(Work& w) {
  w.graph = graph::expand_linear(w.graph, w.options.activation, has_fast_bf16_dots(w.options.target),
                                 lower::sums_in_i16(w.options.target));
  for (const graph::Node& n : w.graph.nodes) {
    if (n.op == "matmul_bf16") w.artifact.facts.activation = "bf16";
  }
  w.dumper.write("expanded", [&] { return print(w.graph); });
  w.graph = graph::fuse(w.graph);
  w.dumper.write("fused", [&] { return print(w.graph); });
  return {};
}

Result<void> to_ir_stage(Work& w) {
  w.program = graph::to_ir(w.graph, tiling(w.options.target));
  w.module = w.program.module;
  w.artifact.params = assemble_params(w.graph, w.module);
  w.artifact.plan = assemble_plan(w.graph, w.program, graph::plan_memory(w.graph));
  w.artifact.inputs = specs_of(w.graph, graph::ValueKind::kInput);
  w.artifact.outputs = specs_of(w.graph, graph::ValueKind::kOutput);
  w.artifact.kv = specs_of(w.graph, graph::ValueKind::kKv);
  w.dumper.write("tir", [&] { return ir::print(w.module); }, "tir");
  return ir::verify(w.module, ir::Level::kGraph);
}

Result<void> schedule_stage(Work& w) {
  const auto decided = [&](const ir::PrimFunc& f) { return decide(f, w.options.target, w.options.tuning.get()); };
  MLC_TRY(w.module, schedule::schedule_all(w.module, w.options.target, decided));
  w.dumper.write("scheduled", [&] { return ir::print(w.module); }, "tir");
  return ir::verify(w.module, ir::Level::kScheduled);
}

Result<void> lower_stage(Work& w) {
  lower::PassHooks hooks;
  if (w.dumper.enabled()) {
    hooks.after = [&](std::string_view pass, const ir::Module& m) {
      w.dumper.write(std::string(pass), [&] { return ir::print(m); }, "tir");
    };
  }
  MLC_TRY(w.module, lower::run(w.module, w.options.target, hooks));
  w.dumper.write("lowered", [&] { return ir::print(w.module); }, "tir");
  return {};
}

Result<void> codegen_stage(Work& w) {
  codegen::EmitOptions emit;
  emit.opt_level = w.options.opt_level;
  emit.num_threads = w.options.num_threads;
  for (const char* stage : {"llvm", "asm"}) {
    if (!w.dumper.wants(stage)) continue;
    const bool assembly = std::string(stage) == "asm";
    auto text = assembly ? codegen::emit_assembly(w.module, w.options.target, emit)
                         : codegen::emit_llvm_text(w.module, w.options.target, true, emit);
    if (!text) return text.error();
    w.dumper.write(stage, [&] { return *text; }, assembly ? "s" : "ll");
  }
  MLC_TRY(w.objects, codegen::emit_objects(w.module, w.options.target, emit));
  return {};
}

Result<void> assemble_stage(Work& w) {
  artifact::Artifact& a = w.artifact;
  a.abi_version = artifact::kAbiVersion;
  a.compiler = std::string("mlc_llm ") + version() + " " + build_id();
  a.target = w.options.target.str();
  for (const std::string& f : w.options.target.features) {
    a.target_features += (a.target_features.empty() ? "" : ",") + f;
  }
  a.layout_id = kLayoutId;
  std::string json = artifact::write_json(a);
  w.dumper.write("artifact", [&] { return json; }, "json");
  w.dumper.write("plan", [&] { return artifact::print_plan(a); });
  MLC_TRY(std::string data, codegen::emit_data({{artifact::kJsonSymbol, std::move(json)}}, w.options.target));
  w.objects.push_back(std::move(data));
  return {};
}

struct Stage {
  const char* name;
  Result<void> (*run)(Work&);
};
constexpr Stage kStages[] = {
    {"building the graph", build_stage},
    {"optimizing the graph", optimize_stage},
    {"generating tensor IR", to_ir_stage},
    {"scheduling", schedule_stage},
    {"lowering", lower_stage},
    {"generating machine code", codegen_stage},
    {"assembling the library", assemble_stage},
};

}  // namespace

Result<DType> kv_dtype_of(const std::string& scheme) {
  MLC_TRY(const quant::Scheme* found, quant::scheme_by_name(scheme));
  return found->model_dtype();
}

Result<CompileOptions> resolve_options(const model::ModelConfig& config, const std::string& scheme, CompileOptions o) {
  const int64_t limit = config.context_limit();
  if (o.context_window_size <= 0) o.context_window_size = limit;
  if (o.context_window_size > limit) {
    return error("context_window_size is {}, but the model supports at most {} tokens", o.context_window_size, limit);
  }
  if (o.prefill_chunk_size <= 0) o.prefill_chunk_size = 512;
  o.prefill_chunk_size = std::min(o.prefill_chunk_size, o.context_window_size);
  if (o.max_batch_size <= 0) o.max_batch_size = 64;
  if (!o.kv_dtype) {
    MLC_TRY(o.kv_dtype, kv_dtype_of(scheme));
  }
  return o;
}

std::string compile_key(const model::ModelConfig& config, const std::string& scheme, const CompileOptions& o) {
  nlohmann::ordered_json key;
  key["model"] = model::model_config_json(config, o.context_window_size, o.prefill_chunk_size, o.max_batch_size);
  key["architecture"] = config.architecture;
  key["scheme"] = scheme;
  key["target"] = o.target.str();
  key["activation"] = o.activation == graph::Activation::kInt8 ? "int8" : "f32";
  if (o.kv_dtype) key["kv_dtype"] = o.kv_dtype->str();
  key["opt"] = o.opt_level;
  key["abi"] = artifact::kAbiVersion;
  key["llvm"] = codegen::llvm_version();
  key["tuning"] = o.tuning ? o.tuning->digest(o.target.str()) : "";
  key["build"] = build_id();  // shipped defaults are part of the program
  if (const std::string without = knob("MLC_DISABLE_PASS"); !without.empty()) key["without"] = without;
  return key.dump();
}

Result<ModelKernels> model_kernels(const model::ModelConfig& config, const std::string& scheme,
                                   const CompileOptions& options) {
  MLC_TRY(CompileOptions resolved, resolve_options(config, scheme, options));
  Work w{.config = config, .scheme = scheme, .options = resolved};
  for (auto stage : {build_stage, optimize_stage, to_ir_stage}) MLC_TRY_VOID(stage(w));
  return ModelKernels{std::move(w.module), std::move(w.artifact.plan)};
}

Result<artifact::Artifact> compile_model(const model::ModelConfig& config, const std::string& scheme,
                                         const CompileOptions& options, const std::string& out_path) {
  MLC_TRY(CompileOptions resolved, resolve_options(config, scheme, options));
  Work w{.config = config, .scheme = scheme, .options = resolved};
  for (const Stage& stage : kStages) {
    if (options.progress) options.progress(stage.name);
    auto done = stage.run(w);
    if (!done) return std::move(done).error().context("{}", stage.name);
  }
  if (options.progress) options.progress("linking");
  MLC_TRY_VOID(codegen::link_shared(w.objects, out_path));
  return std::move(w.artifact);
}

}  // namespace mlc::compiler
