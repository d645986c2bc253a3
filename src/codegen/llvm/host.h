// What LLVM knows about CPUs, turned into target::Target values. No LLVM in this header.
//
//   MLC_TRY(auto t, native_target());     // this machine, with LLVM's name for it: "znver4"
//   MLC_TRY(auto u, resolve_target(*Target::parse("cpu -mcpu=tigerlake")));   // + the features of that CPU
#pragma once

#include <string>

#include "base/result.h"
#include "target/target.h"

namespace mlc::codegen {

// This machine: LLVM's CPU name for scheduling, features as the CPU and the operating system report them; features that
// the name implies but the machine lacks (virtual machines mask some) are disabled.
Result<target::Target> native_target();

// Checks triple, CPU name and features against LLVM's tables and adds the features that the CPU implies. The error
// names what LLVM does not know.
Result<target::Target> resolve_target(const target::Target& target);

// "LLVM 19.1.7": part of cache keys.
std::string llvm_version();

}  // namespace mlc::codegen
