// Internal to codegen/llvm: LLVM's target machine for a Target, and the optimization pipeline.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "codegen/llvm/emit.h"
#include "target/target.h"

namespace mlc::codegen {

void initialize_llvm();  // registers LLVM's targets, once

// "+avx2,+fma,-avx512f": what LLVM is told besides the CPU's name.
std::string feature_string(const target::Target& target);

Result<std::unique_ptr<::llvm::TargetMachine>> make_machine(const target::Target& target, int opt_level);

// LLVM's -O<level> pipeline without library calls. explicit_vectors: the code is vector code already, so that the
// superword vectorizer is left out.
void optimize(::llvm::Module& module, ::llvm::TargetMachine& machine, int opt_level, bool explicit_vectors);

}  // namespace mlc::codegen
