#include "runtime/module.h"

#include <set>

#include "base/check.h"
#include "base/span.h"
#include "runtime/cpu/library.h"
#include "target/target.h"

namespace mlc::runtime {
namespace {

std::set<std::string> kernel_names(const artifact::Artifact& a) {
  std::set<std::string> names;
  for (const auto& call : a.plan.calls) {
    for (const auto& variant : call.variants) names.insert(variant.kernel);
  }
  for (const auto& param : a.params) {
    if (!param.pack_kernel.empty()) names.insert(param.pack_kernel);
  }
  return names;
}

}  // namespace

Result<std::shared_ptr<const Module>> Module::load(const std::string& path) {
  MLC_SPAN("runtime.load_module");
  MLC_TRY(std::shared_ptr<void> library, open_library(path));
  auto symbol = [&](const char* name) { return find_symbol(library.get(), name); };
  const void* json = symbol(artifact::kJsonSymbol);
  const void* size = symbol(artifact::kJsonSizeSymbol);
  if (json == nullptr || size == nullptr) {
    return error(ErrorCode::kUnsupported, "{}: a shared library, but not a compiled model; `mlc_llm compile` makes one",
                 path);
  }
  const std::string_view text(static_cast<const char*>(json), *static_cast<const uint64_t*>(size));
  auto artifact = artifact::read_json(text);
  if (!artifact) return std::move(artifact).error().context("{}", path);
  auto compiled = target::Target::parse(artifact->target);
  if (!compiled) return std::move(compiled).error().context("{}: the target it names", path);
  MLC_TRY_VOID(target::check_runs_on(*compiled, target::Target::host(), path));

  std::shared_ptr<Module> module(new Module);
  module->path_ = path;
  for (const std::string& name : kernel_names(*artifact)) {
    void* address = symbol(name.c_str());
    if (address == nullptr) {
      return error(ErrorCode::kCorrupt, "{}: the kernel {} is missing; compile the model again", path, name);
    }
    module->functions_[name] = reinterpret_cast<artifact::KernelFn>(address);
  }
  module->artifact_ = std::move(*artifact);
  module->library_ = std::move(library);
  return std::shared_ptr<const Module>(std::move(module));
}

Result<std::shared_ptr<const Module>> Module::from_functions(artifact::Artifact artifact, Functions functions) {
  for (const std::string& name : kernel_names(artifact)) {
    if (functions.find(name) == functions.end()) return error(ErrorCode::kCorrupt, "the kernel {} is missing", name);
  }
  std::shared_ptr<Module> module(new Module);
  module->path_ = "functions";
  module->artifact_ = std::move(artifact);
  module->functions_ = std::move(functions);
  return std::shared_ptr<const Module>(std::move(module));
}

artifact::KernelFn Module::kernel(std::string_view name) const {
  auto it = functions_.find(name);
  MLC_CHECK(it != functions_.end(), "the kernel {} was not resolved when {} was loaded", name, path_);
  return it->second;
}

}  // namespace mlc::runtime
