// A machine to compile for, as data: asked about features, never switched on by name.
//
//   MLC_TRY(auto t, Target::parse("cpu -mcpu=skylake-avx512 -mattr=+avx512vnni"));
//   t.has("avx512vnni");  t.vector_bits() == 512;  t.native_lanes(DType::f32()) == 16;
//   Target::host();                       // the machine that runs this program
//   Target::parse("aarch64-linux-gnu");   // a triple alone is a CPU target
//
// No LLVM in here: the same question "can this machine run that library?" is asked where LLVM is absent. What LLVM
// knows about a CPU name (codegen/llvm/host.h: resolve_target) only adds features to this value.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace mlc::target {

enum class Kind { kCpu, kOpencl, kCuda, kHip, kMetal, kVulkan, kWebgpu };

struct Target {
  Kind kind = Kind::kCpu;
  std::string triple;              // "x86_64-unknown-linux-gnu"; empty for GPU languages
  std::string cpu;                 // LLVM's CPU name: "znver4", "generic"; empty for GPU languages
  std::set<std::string> features;  // enabled instruction sets, by LLVM's names: "avx512vnni", "dotprod"
  std::set<std::string> disabled;  // what the CPU name implies but this machine (or the user) does without
  int64_t shared_bytes = 0;        // GPUs: memory of one work-group
  int max_threads = 1;             // GPUs: threads of one work-group

  static Target host();
  // "<kind|triple|host> [-mtriple=T] [-mcpu=C] [-mattr=+a,-b] [-max-threads=N] [-shared-bytes=N]".
  // "host" starts from this machine, "cpu" and a triple from the architecture's portable baseline.
  // `-mcpu` adds the features of the CPUs in this folder's table; other names are taken as they are.
  static Result<Target> parse(std::string_view text);
  // Parses back to an equal target; the same machine always gives the same text.
  std::string str() const;
  // 16 hex digits of a hash of str(): part of cache keys.
  std::string fingerprint() const;

  bool has(std::string_view feature) const { return features.count(std::string(feature)) > 0; }
  bool is_cpu() const { return kind == Kind::kCpu; }
  bool is_x86_64() const { return triple.rfind("x86_64", 0) == 0; }
  bool is_aarch64() const { return triple.rfind("aarch64", 0) == 0 || triple.rfind("arm64", 0) == 0; }
  bool is_windows() const { return triple.find("-windows-") != std::string::npos; }
  // Width of a vector register in bits; 32 on GPUs, whose threads are scalar.
  int vector_bits() const;
  // How many elements of t one vector register holds; at least 1.
  int native_lanes(DType t) const;
  // f16 <-> f32 conversion in one instruction (OpenCL C has it without fp16 arithmetic).
  bool has_f16_conversion() const {
    if (!is_cpu()) return kind == Kind::kOpencl || has("fp16");
    return has("f16c") || has("avx512f") || is_aarch64();
  }
  // Vector values: machine registers, or types of the language.
  bool has_vector_types() const { return is_cpu() || kind == Kind::kOpencl; }
  // a * b + c rounded once, in one instruction.
  bool has_fma() const { return !is_cpu() || has("fma") || has("avx512f") || is_aarch64(); }
  // floor, ceil, round to nearest even as instructions.
  bool has_rounding() const { return !is_cpu() || has("sse4.1") || is_aarch64(); }

  bool operator==(const Target&) const = default;
};

// An error in one line when `machine` cannot run code compiled for `compiled`; ok otherwise. `what` names the thing:
//   "lib.so was compiled for x86_64 (znver4) and needs avx512vnni, which this machine (haswell) does not have; …"
Result<void> check_runs_on(const Target& compiled, const Target& machine, std::string_view what);

std::string_view kind_name(Kind kind);

}  // namespace mlc::target
