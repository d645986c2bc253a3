// What this project knows about CPUs: the instruction sets that generated code may use, how to detect them, and the
// CPU names that come up often. Names are LLVM's.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mlc::target {

// All instruction sets that matter to generated code on an architecture ("x86_64" or "aarch64"; else empty).
const std::vector<std::string>& known_features(std::string_view arch);

// Features of a CPU of the table; empty if the name is not there. The architecture's baseline for "generic".
std::set<std::string> features_of_cpu(std::string_view arch, std::string_view cpu);

// The features in known_features() that this machine and its operating system support. Asks the CPU, not LLVM.
std::set<std::string> host_features();

// The architecture that this program was compiled for: "x86_64", "aarch64", else "unknown".
std::string_view host_arch();

// The largest name of the table whose features are all in `features`: "x86-64-v4", "generic".
std::string baseline_cpu(std::string_view arch, const std::set<std::string>& features);

}  // namespace mlc::target
