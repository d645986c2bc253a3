#include "compiler/assemble.h"

#include <fmt/format.h>

#include <map>

#include "graph/ops/ops.h"
#include "ir/text.h"

namespace mlc::compiler {

using artifact::BufferKind;
using artifact::BufferRef;
using artifact::LinearSize;
using artifact::Symbol;
using graph::ValueKind;

namespace {

// Position of each value within its kind.
std::vector<BufferRef> number_values(const graph::Graph& g, const graph::MemoryPlan& memory) {
  std::vector<BufferRef> refs(g.values.size());
  int inputs = 0, outputs = 0, temps = 0;
  for (size_t v = 0; v < g.values.size(); ++v) {
    const graph::Value& value = g.values[v];
    switch (value.kind) {
      case ValueKind::kParam:
        refs[v] = {BufferKind::kParam, value.param};
        break;
      case ValueKind::kInput:
        refs[v] = {BufferKind::kInput, inputs++};
        break;
      case ValueKind::kOutput:
        refs[v] = {BufferKind::kOutput, outputs++};
        break;
      case ValueKind::kKv:
        refs[v] = {BufferKind::kKv, value.kv};
        break;
      case ValueKind::kTemp:
        if (memory.placed[v]) refs[v] = {BufferKind::kTemp, temps++};
        break;
    }
  }
  return refs;
}

LinearSize linear(const graph::RowBytes& bytes) {
  LinearSize s;
  s.coefficients[static_cast<int>(Symbol::kNumTokens)] = bytes.per_token;
  s.coefficients[static_cast<int>(Symbol::kNumLogitRows)] = bytes.per_logit_row;
  s.coefficients[static_cast<int>(Symbol::kNumParts)] = bytes.per_part;
  return s;
}

Symbol symbol_of(graph::Sym s) { return static_cast<Symbol>(static_cast<int>(s)); }

}  // namespace

std::vector<artifact::Param> assemble_params(const graph::Graph& g, ir::Module& module) {
  std::vector<artifact::Param> params;
  std::map<std::string, std::string> kernels;  // text of a pack function -> its name
  for (const quant::PackedTensor& t : g.params) {
    artifact::Param p;
    p.packed = {t.name, t.dtype, t.shape};
    for (const quant::SourceTensor& s : t.sources) p.sources.push_back({s.name, s.dtype, s.shape});
    auto [it, fresh] = kernels.emplace(ir::print(t.pack), "");
    if (fresh) {
      ir::PrimFunc f = t.pack;
      f.name = fmt::format("{}_{}", t.pack.name, kernels.size());
      f.attrs["stage"] = std::string("graph");
      f.attrs["rule"] = std::string("explicit");
      it->second = f.name;
      module.functions.push_back(std::move(f));
    }
    p.pack_kernel = it->second;
    params.push_back(std::move(p));
  }
  return params;
}

artifact::Plan assemble_plan(const graph::Graph& g, const graph::Program& program, const graph::MemoryPlan& memory) {
  artifact::Plan plan;
  const std::vector<BufferRef> refs = number_values(g, memory);
  for (size_t v = 0; v < g.values.size(); ++v) {
    if (g.values[v].kind != ValueKind::kTemp || !memory.placed[v]) continue;
    plan.temps.push_back({g.values[v].name, g.values[v].type.dtype, linear(memory.offset[v]), linear(memory.size[v])});
  }
  plan.temp_bytes = linear(memory.total);
  for (const graph::Node& n : g.nodes) {
    if (n.when == graph::When::kSplitAttention) plan.segment_tokens = graph::ops::segment_tokens(n);
  }
  for (const graph::Call& c : program.calls) {
    artifact::KernelCall call;
    call.name = c.name;
    call.rows = symbol_of(c.rows);
    call.when = static_cast<artifact::When>(c.when);
    for (const graph::CallVariant& variant : c.variants) {
      call.variants.push_back({variant.function, variant.min, variant.max});
    }
    for (graph::ValueId v : c.buffers) call.buffers.push_back(refs[static_cast<size_t>(v)]);
    for (graph::Sym s : c.sizes) {
      LinearSize size;
      size.coefficients[static_cast<int>(s)] = 1;
      call.sizes.push_back(size);
    }
    call.param_bytes = c.param_bytes;
    call.ops_per_row = c.ops_per_row;
    plan.calls.push_back(std::move(call));
  }
  return plan;
}

artifact::ModelFacts assemble_facts(const model::ModelConfig& config, const std::string& scheme,
                                    const CompileOptions& options) {
  artifact::ModelFacts f;
  f.model_type = config.model_type;
  f.quantization = scheme;
  f.activation = options.activation == graph::Activation::kInt8 ? "int8" : "f32";
  f.vocab_size = config.vocab_size;
  f.hidden_size = config.hidden_size;
  f.num_layers = config.num_layers;
  f.num_heads = config.num_heads;
  f.num_kv_heads = config.num_kv_heads;
  f.head_dim = config.head_dim;
  f.context_window_size = options.context_window_size;
  f.prefill_chunk_size = options.prefill_chunk_size;
  f.max_batch_size = options.max_batch_size;
  const model::RopeFrequencies rope = model::compute_rope(config);
  f.rope.inv_freq = rope.inv_freq;
  f.rope.attention_scaling = rope.attention_scaling;
  return f;
}

std::vector<artifact::TensorSpec> specs_of(const graph::Graph& g, graph::ValueKind kind) {
  std::vector<artifact::TensorSpec> specs;
  for (const graph::Value& v : g.values) {
    if (v.kind != kind) continue;
    artifact::TensorSpec spec{v.name, v.type.dtype, {}};
    for (const graph::Dim& d : v.type.shape) spec.shape.push_back(d.is_symbolic() ? -1 : d.value);
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace mlc::compiler
