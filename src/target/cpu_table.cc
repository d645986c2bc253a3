#include "target/cpu_table.h"

#include <cstdint>
#include <map>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace mlc::target {
namespace {

// Where CPUID reports a feature (Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E), and which register state the
// operating system must save for it (XCR0).
enum class Reg { kEax, kEbx, kEcx, kEdx };
constexpr uint64_t kSse = 0x2, kAvxState = 0x6, kAvx512State = 0xe6, kAmxState = 0x60000;
struct X86Feature {
  const char* name;
  uint32_t leaf, subleaf;
  Reg reg;
  int bit;
  uint64_t xcr0;
};
constexpr X86Feature kX86Features[] = {
    {"sse3", 1, 0, Reg::kEcx, 0, kSse},
    {"ssse3", 1, 0, Reg::kEcx, 9, kSse},
    {"sse4.1", 1, 0, Reg::kEcx, 19, kSse},
    {"sse4.2", 1, 0, Reg::kEcx, 20, kSse},
    {"sse4a", 0x80000001, 0, Reg::kEcx, 6, kSse},
    {"popcnt", 1, 0, Reg::kEcx, 23, 0},
    {"lzcnt", 0x80000001, 0, Reg::kEcx, 5, 0},
    {"movbe", 1, 0, Reg::kEcx, 22, 0},
    {"bmi", 7, 0, Reg::kEbx, 3, 0},
    {"bmi2", 7, 0, Reg::kEbx, 8, 0},
    {"adx", 7, 0, Reg::kEbx, 19, 0},
    {"tbm", 0x80000001, 0, Reg::kEcx, 21, 0},
    {"avx", 1, 0, Reg::kEcx, 28, kAvxState},
    {"f16c", 1, 0, Reg::kEcx, 29, kAvxState},
    {"fma", 1, 0, Reg::kEcx, 12, kAvxState},
    {"fma4", 0x80000001, 0, Reg::kEcx, 16, kAvxState},
    {"xop", 0x80000001, 0, Reg::kEcx, 11, kAvxState},
    {"avx2", 7, 0, Reg::kEbx, 5, kAvxState},
    {"gfni", 7, 0, Reg::kEcx, 8, kSse},
    {"avxvnni", 7, 1, Reg::kEax, 4, kAvxState},
    {"avxifma", 7, 1, Reg::kEax, 23, kAvxState},
    {"avxvnniint8", 7, 1, Reg::kEdx, 4, kAvxState},
    {"avxneconvert", 7, 1, Reg::kEdx, 5, kAvxState},
    {"avx512f", 7, 0, Reg::kEbx, 16, kAvx512State},
    {"avx512dq", 7, 0, Reg::kEbx, 17, kAvx512State},
    {"avx512ifma", 7, 0, Reg::kEbx, 21, kAvx512State},
    {"avx512cd", 7, 0, Reg::kEbx, 28, kAvx512State},
    {"avx512bw", 7, 0, Reg::kEbx, 30, kAvx512State},
    {"avx512vl", 7, 0, Reg::kEbx, 31, kAvx512State},
    {"avx512vbmi", 7, 0, Reg::kEcx, 1, kAvx512State},
    {"avx512vbmi2", 7, 0, Reg::kEcx, 6, kAvx512State},
    {"avx512vnni", 7, 0, Reg::kEcx, 11, kAvx512State},
    {"avx512bitalg", 7, 0, Reg::kEcx, 12, kAvx512State},
    {"avx512vpopcntdq", 7, 0, Reg::kEcx, 14, kAvx512State},
    {"avx512fp16", 7, 0, Reg::kEdx, 23, kAvx512State},
    {"avx512bf16", 7, 1, Reg::kEax, 5, kAvx512State},
    {"amx-bf16", 7, 0, Reg::kEdx, 22, kAmxState},
    {"amx-tile", 7, 0, Reg::kEdx, 24, kAmxState},
    {"amx-int8", 7, 0, Reg::kEdx, 25, kAmxState},
};

const char* const kArmFeatures[] = {"neon", "fullfp16", "dotprod", "i8mm", "bf16", "sve"};

using Names = std::set<std::string>;
Names operator+(Names a, const Names& b) {
  a.insert(b.begin(), b.end());
  return a;
}

const std::map<std::string, Names, std::less<>>& x86_cpus() {
  static const auto* table = [] {
    const Names v1;
    const Names v2 = {"sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"};
    const Names v3 = v2 + Names{"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"};
    const Names v4 = v3 + Names{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"};
    const Names skx = v4 + Names{"adx"};
    const Names clx = skx + Names{"avx512vnni"};
    const Names icl = clx + Names{"avx512ifma", "avx512vbmi", "avx512vbmi2", "avx512bitalg", "avx512vpopcntdq", "gfni"};
    const Names spr = icl + Names{"avx512bf16", "avx512fp16", "avxvnni", "amx-tile", "amx-int8", "amx-bf16"};
    const Names zen = v3 + Names{"adx", "sse4a"};
    const Names zen4 = icl + Names{"avx512bf16", "sse4a"};
    return new std::map<std::string, Names, std::less<>>{
        {"generic", v1},
        {"x86-64", v1},
        {"x86-64-v2", v2},
        {"nehalem", v2},
        {"x86-64-v3", v3},
        {"haswell", v3},
        {"broadwell", v3 + Names{"adx"}},
        {"skylake", v3 + Names{"adx"}},
        {"alderlake", v3 + Names{"adx", "avxvnni", "gfni"}},
        {"x86-64-v4", v4},
        {"skylake-avx512", skx},
        {"cascadelake", clx},
        {"cooperlake", clx + Names{"avx512bf16"}},
        {"icelake-server", icl},
        {"sapphirerapids", spr},
        {"emeraldrapids", spr},
        {"znver1", zen},
        {"znver2", zen},
        {"znver3", zen},
        {"znver4", zen4},
        {"znver5", zen4 + Names{"avxvnni"}},
    };
  }();
  return *table;
}

const std::map<std::string, Names, std::less<>>& arm_cpus() {
  static const auto* table = [] {
    const Names base = {"neon"};
    const Names dot = base + Names{"dotprod", "fullfp16"};
    const Names i8mm = dot + Names{"i8mm", "bf16"};
    return new std::map<std::string, Names, std::less<>>{
        {"generic", base},
        {"cortex-a53", base},
        {"cortex-a72", base},
        {"cortex-a76", dot},
        {"neoverse-n1", dot},
        {"apple-m1", dot},
        {"apple-m2", i8mm},
        {"neoverse-v1", i8mm + Names{"sve"}},
        {"neoverse-n2", i8mm + Names{"sve"}},
        {"neoverse-v2", i8mm + Names{"sve"}},
    };
  }();
  return *table;
}

#if defined(__x86_64__)
uint64_t read_xcr0() {
  uint32_t lo = 0, hi = 0;
  asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return (static_cast<uint64_t>(hi) << 32) | lo;
}

bool cpuid_bit(const X86Feature& f) {
  uint32_t r[4] = {0, 0, 0, 0};
  if (!__get_cpuid_count(f.leaf, f.subleaf, &r[0], &r[1], &r[2], &r[3])) return false;
  return (r[static_cast<int>(f.reg)] >> f.bit) & 1u;
}
#endif

}  // namespace

std::string_view host_arch() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "unknown";
#endif
}

const std::vector<std::string>& known_features(std::string_view arch) {
  static const auto* x86 = [] {
    auto* v = new std::vector<std::string>();
    for (const auto& f : kX86Features) v->push_back(f.name);
    return v;
  }();
  static const auto* arm = new std::vector<std::string>(std::begin(kArmFeatures), std::end(kArmFeatures));
  static const auto* none = new std::vector<std::string>();
  if (arch == "x86_64") return *x86;
  if (arch == "aarch64" || arch == "arm64") return *arm;
  return *none;
}

std::set<std::string> features_of_cpu(std::string_view arch, std::string_view cpu) {
  const bool arm = arch == "aarch64" || arch == "arm64";
  if (arch != "x86_64" && !arm) return {};
  const auto& table = arm ? arm_cpus() : x86_cpus();
  if (auto it = table.find(cpu); it != table.end()) return it->second;
  return table.at("generic");
}

std::set<std::string> host_features() {
  std::set<std::string> found;
#if defined(__x86_64__)
  const X86Feature osxsave = {"osxsave", 1, 0, Reg::kEcx, 27, 0};
  const uint64_t xcr0 = cpuid_bit(osxsave) ? read_xcr0() : kSse;
  for (const auto& f : kX86Features) {
    if (cpuid_bit(f) && (xcr0 & f.xcr0) == f.xcr0) found.insert(f.name);
  }
#elif defined(__aarch64__) && defined(__linux__)
  const unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
  found.insert("neon");
  if (caps >> 10 & 1) found.insert("fullfp16");
  if (caps >> 20 & 1) found.insert("dotprod");
  if (caps >> 22 & 1) found.insert("sve");
  if (caps2 >> 13 & 1) found.insert("i8mm");
  if (caps2 >> 14 & 1) found.insert("bf16");
#endif
  return found;
}

std::string baseline_cpu(std::string_view arch, const std::set<std::string>& features) {
  if (arch == "x86_64") {
    for (const char* level : {"x86-64-v4", "x86-64-v3", "x86-64-v2"}) {
      bool all = true;
      for (const auto& f : x86_cpus().at(level)) all = all && features.count(f) > 0;
      if (all) return level;
    }
    return "x86-64";
  }
  return "generic";
}

}  // namespace mlc::target
