#include "codegen/llvm/host.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include "codegen/llvm/machine.h"
#include "target/cpu_table.h"

namespace mlc::codegen {
namespace {

std::string arch_of(const target::Target& t) { return t.triple.substr(0, t.triple.find('-')); }

template <typename Table>
bool lists(const Table& table, const std::string& name) {
  for (const auto& row : table) {
    if (name == row.Key) return true;
  }
  return false;
}

}  // namespace

Result<target::Target> resolve_target(const target::Target& wanted) {
  target::Target t = wanted;
  if (!t.is_cpu()) return t;
  target::Target plain = t;
  plain.features.clear();
  plain.disabled.clear();
  plain.cpu = "generic";
  MLC_TRY(auto generic, make_machine(plain, 0));
  const auto* table = generic->getMCSubtargetInfo();
  if (!table->isCPUStringValid(t.cpu)) {
    return error(
        "LLVM does not know the CPU '{}' of {}; 'host' means this machine, and -mattr=+feature adds single "
        "instruction sets",
        t.cpu, arch_of(t));
  }
  for (const auto* names : {&t.features, &t.disabled}) {
    for (const auto& name : *names) {
      if (!lists(table->getAllProcessorFeatures(), name)) {
        return error("LLVM does not know the feature '{}' of {}", name, arch_of(t));
      }
    }
  }
  MLC_TRY(auto machine, make_machine(t, 0));
  const auto* subtarget = machine->getMCSubtargetInfo();
  for (const auto& name : target::known_features(arch_of(t))) {
    if (!t.disabled.count(name) && subtarget->checkFeatures("+" + name)) t.features.insert(name);
  }
  return t;
}

Result<target::Target> native_target() {
  target::Target t = target::Target::host();
  t.cpu = ::llvm::sys::getHostCPUName().str();
  initialize_llvm();
  // What the CPU's name implies but the machine does not report must be switched off by name.
  target::Target implied = t;
  implied.features.clear();
  MLC_TRY(implied, resolve_target(implied));
  for (const auto& name : implied.features) {
    if (!t.has(name)) t.disabled.insert(name);
  }
  return t;
}

std::string llvm_version() { return "LLVM " LLVM_VERSION_STRING; }

}  // namespace mlc::codegen
