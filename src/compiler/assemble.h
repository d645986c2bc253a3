// Putting the artifact together: graph values to parameter, temp, input, output and KV references.
#pragma once

#include "artifact/artifact.h"
#include "compiler/compile.h"
#include "graph/graph.h"
#include "graph/optimize.h"
#include "graph/to_ir.h"
#include "ir/func.h"
#include "model/config.h"

namespace mlc::compiler {

// Adds one pack kernel per distinct way of packing to `module` and records the parameters. The kernels are in the same
// module as the model's.
std::vector<artifact::Param> assemble_params(const graph::Graph& g, ir::Module& module);

artifact::Plan assemble_plan(const graph::Graph& g, const graph::Program& program, const graph::MemoryPlan& memory);

artifact::ModelFacts assemble_facts(const model::ModelConfig& config, const std::string& scheme,
                                    const CompileOptions& options);

// Inputs and outputs of the step, with -1 for symbolic dimensions.
std::vector<artifact::TensorSpec> specs_of(const graph::Graph& g, graph::ValueKind kind);

}  // namespace mlc::compiler
