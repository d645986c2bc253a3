// What tuning records speak of: a kernel before it is scheduled, and the kind of machine.
//
//   Workload w = workload_of(func);      // w.hash: this very kernel, in any model; w.family: its kind, of any size
//   isa_of(target);                      // "x86_64-avx512vnni"
#pragma once

#include <string>

#include "ir/func.h"
#include "target/target.h"

namespace mlc::compiler {

struct Workload {
  std::string hash;    // 32 hexadecimal digits, of the function without its name
  std::string family;  // rule, what it computes, type of the weights, rows of a tile: "matmul dot i32 r8"
};
Workload workload_of(const ir::PrimFunc& unscheduled);

// Machines for which the same schedules tend to be good.
std::string isa_of(const target::Target& target);

}  // namespace mlc::compiler
