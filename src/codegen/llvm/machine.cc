#include "codegen/llvm/machine.h"

#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Triple.h>

#include <mutex>

namespace mlc::codegen {

void initialize_llvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::llvm::InitializeAllTargetInfos();
    ::llvm::InitializeAllTargets();
    ::llvm::InitializeAllTargetMCs();
    ::llvm::InitializeAllAsmPrinters();
    ::llvm::InitializeAllAsmParsers();
  });
}

std::string feature_string(const target::Target& target) {
  std::string s;
  for (const auto& f : target.features) s += (s.empty() ? "+" : ",+") + f;
  for (const auto& f : target.disabled) s += (s.empty() ? "-" : ",-") + f;
  return s;
}

Result<std::unique_ptr<::llvm::TargetMachine>> make_machine(const target::Target& target, int opt_level) {
  initialize_llvm();
  std::string why;
  const auto* registered = ::llvm::TargetRegistry::lookupTarget(target.triple, why);
  if (!registered) {
    return error(ErrorCode::kUnsupported, "LLVM does not know the target triple '{}': {}", target.triple, why);
  }
  ::llvm::TargetOptions options;
  options.AllowFPOpFusion = ::llvm::FPOpFusion::Strict;
  const auto level = opt_level >= 3   ? ::llvm::CodeGenOptLevel::Aggressive
                     : opt_level >= 1 ? ::llvm::CodeGenOptLevel::Default
                                      : ::llvm::CodeGenOptLevel::None;
  std::unique_ptr<::llvm::TargetMachine> machine(
      registered->createTargetMachine(target.triple, target.cpu, feature_string(target), options, ::llvm::Reloc::PIC_,
                                      ::llvm::CodeModel::Small, level));
  if (!machine) return error(ErrorCode::kUnsupported, "LLVM cannot generate code for '{}'", target.str());
  return machine;
}

void optimize(::llvm::Module& module, ::llvm::TargetMachine& machine, int opt_level, bool explicit_vectors) {
  ::llvm::LoopAnalysisManager lam;
  ::llvm::FunctionAnalysisManager fam;
  ::llvm::CGSCCAnalysisManager cgam;
  ::llvm::ModuleAnalysisManager mam;
  ::llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = opt_level >= 2;
  tuning.SLPVectorization = opt_level >= 2 && !explicit_vectors;
  ::llvm::PassBuilder builder(&machine, tuning);
  // Without library functions no pass turns a loop into a call of memset or memcpy.
  ::llvm::TargetLibraryInfoImpl library{::llvm::Triple(module.getTargetTriple())};
  library.disableAllFunctions();
  fam.registerPass([&] { return ::llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(mam);
  builder.registerCGSCCAnalyses(cgam);
  builder.registerFunctionAnalyses(fam);
  builder.registerLoopAnalyses(lam);
  builder.crossRegisterProxies(lam, fam, cgam, mam);
  const auto level = opt_level >= 3   ? ::llvm::OptimizationLevel::O3
                     : opt_level == 2 ? ::llvm::OptimizationLevel::O2
                                      : ::llvm::OptimizationLevel::O1;
  auto passes = opt_level == 0 ? builder.buildO0DefaultPipeline(::llvm::OptimizationLevel::O0)
                               : builder.buildPerModuleDefaultPipeline(level);
  passes.run(module, mam);
}

}  // namespace mlc::codegen
