#include "target/target.h"

#include <array>
#include <charconv>

#include "target/cpu_table.h"

namespace mlc::target {
namespace {

struct KindName {
  Kind kind;
  std::string_view name;
};
constexpr std::array<KindName, 7> kKinds = {{{Kind::kCpu, "cpu"},
                                             {Kind::kOpencl, "opencl"},
                                             {Kind::kCuda, "cuda"},
                                             {Kind::kHip, "hip"},
                                             {Kind::kMetal, "metal"},
                                             {Kind::kVulkan, "vulkan"},
                                             {Kind::kWebgpu, "webgpu"}}};

std::string arch_of(const std::string& triple) { return triple.substr(0, triple.find('-')); }

std::string host_triple() {
#if defined(__APPLE__)
  return std::string(host_arch()) + "-apple-darwin";
#elif defined(_WIN32)
  return std::string(host_arch()) + "-pc-windows-gnu";
#else
  return std::string(host_arch()) + "-unknown-linux-gnu";
#endif
}

std::vector<std::string> words_of(std::string_view text, char separator) {
  std::vector<std::string> words;
  size_t begin = 0;
  while (begin <= text.size()) {
    size_t end = text.find(separator, begin);
    if (end == std::string_view::npos) end = text.size();
    if (end > begin) words.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

// "x86_64-linux-gnu" and "x86_64-unknown-linux-gnu" are one machine: the vendor is written out.
Result<std::string> normalize_triple(const std::string& triple) {
  auto parts = words_of(triple, '-');
  if (parts.size() < 3) {
    return error("target triple '{}': expected <arch>-<os>-<abi>, for example aarch64-linux-gnu", triple);
  }
  if (parts.size() == 3 && parts[1] == "linux") parts.insert(parts.begin() + 1, "unknown");
  if (parts.size() == 3 && parts[1] == "windows") parts.insert(parts.begin() + 1, "pc");
  std::string joined;
  for (const auto& p : parts) joined += (joined.empty() ? "" : "-") + p;
  return joined;
}

Result<int64_t> parse_count(const std::string& option, std::string_view text) {
  int64_t value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < 0) {
    return error("target option {}: '{}' is not a number", option, text);
  }
  return value;
}

struct Options {
  std::string cpu;
  std::vector<std::string> attributes;
};

Result<void> parse_option(const std::string& word, Target& t, Options& options) {
  const size_t eq = word.find('=');
  const std::string key = word.substr(0, eq);
  const std::string value = eq == std::string::npos ? "" : word.substr(eq + 1);
  if (eq == std::string::npos || value.empty()) {
    return error("target option '{}': expected -mtriple=, -mcpu=, -mattr=, -max-threads= or -shared-bytes=", word);
  }
  if (key == "-mtriple") {
    MLC_TRY(t.triple, normalize_triple(value));
  } else if (key == "-mcpu") {
    options.cpu = value;
  } else if (key == "-mattr") {
    for (auto& a : words_of(value, ',')) options.attributes.push_back(a);
  } else if (key == "-max-threads") {
    MLC_TRY(const int64_t n, parse_count(key, value));
    t.max_threads = static_cast<int>(n);
  } else if (key == "-shared-bytes") {
    MLC_TRY(t.shared_bytes, parse_count(key, value));
  } else {
    return error("target option '{}' is unknown: expected -mtriple=, -mcpu=, -mattr=, -max-threads= or -shared-bytes=",
                 key);
  }
  return {};
}

Result<void> apply_attributes(const std::vector<std::string>& attributes, Target& t) {
  for (const auto& a : attributes) {
    const std::string name = a.substr(1);
    if (name.empty() || (a[0] != '+' && a[0] != '-')) {
      return error("target attribute '{}': expected +feature or -feature", a);
    }
    if (a[0] == '+') {
      t.features.insert(name);
      t.disabled.erase(name);
    } else {
      t.features.erase(name);
      t.disabled.insert(name);
    }
  }
  return {};
}

}  // namespace

std::string_view kind_name(Kind kind) {
  for (const auto& k : kKinds) {
    if (k.kind == kind) return k.name;
  }
  MLC_UNREACHABLE("kind {}", static_cast<int>(kind));
}

Target Target::host() {
  Target t;
  t.triple = host_triple();
  t.features = host_features();
  t.cpu = baseline_cpu(host_arch(), t.features);
  return t;
}

Result<Target> Target::parse(std::string_view text) {
  const auto words = words_of(text, ' ');
  if (words.empty()) return error("the target is empty; expected for example 'cpu', 'host' or 'aarch64-linux-gnu'");
  if (words[0] == "host" && words.size() == 1) return host();
  Target t;
  bool known = words[0] == "host";
  for (const auto& k : kKinds) {
    if (k.name == words[0]) {
      t.kind = k.kind;
      known = true;
    }
  }
  if (!known) {
    if (words[0].find('-') == std::string::npos || words[0][0] == '-') {
      return error(
          "target '{}' is unknown: expected cpu, host, a triple such as aarch64-linux-gnu, or one of opencl "
          "cuda hip metal vulkan webgpu",
          words[0]);
    }
    MLC_TRY(t.triple, normalize_triple(words[0]));
  }
  Options options;
  for (size_t i = 1; i < words.size(); ++i) MLC_TRY_VOID(parse_option(words[i], t, options));
  if (t.is_cpu()) {
    if (t.triple.empty()) t.triple = host_triple();
    const std::string arch = arch_of(t.triple);
    const bool from_host = words[0] == "host" && options.cpu.empty();
    t.cpu = from_host ? host().cpu : !options.cpu.empty() ? options.cpu : arch == "x86_64" ? "x86-64" : "generic";
    t.features = from_host ? host_features() : features_of_cpu(arch, t.cpu);
  }
  MLC_TRY_VOID(apply_attributes(options.attributes, t));
  return t;
}

std::string Target::str() const {
  std::string s(kind_name(kind));
  if (!triple.empty()) s += " -mtriple=" + triple;
  if (!cpu.empty()) s += " -mcpu=" + cpu;
  std::string attributes;
  for (const auto& f : features) attributes += (attributes.empty() ? "+" : ",+") + f;
  for (const auto& f : disabled) attributes += (attributes.empty() ? "-" : ",-") + f;
  if (is_cpu()) {  // what the CPU's table entry implies but this value lacks must be said, or parse() would add it
    for (const auto& f : features_of_cpu(arch_of(triple), cpu)) {
      if (!features.count(f) && !disabled.count(f)) attributes += (attributes.empty() ? "-" : ",-") + f;
    }
  }
  if (!attributes.empty()) s += " -mattr=" + attributes;
  if (max_threads != 1) s += " -max-threads=" + std::to_string(max_threads);
  if (shared_bytes != 0) s += " -shared-bytes=" + std::to_string(shared_bytes);
  return s;
}

std::string Target::fingerprint() const {
  uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const char c : str()) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return fmt::format("{:016x}", hash);
}

int Target::vector_bits() const {
  if (!is_cpu()) return 32;
  if (has("avx512f")) return 512;
  if (has("avx")) return 256;
  return 128;
}

int Target::native_lanes(DType t) const {
  const int lanes = vector_bits() / static_cast<int>(t.element_bytes() * 8);
  return lanes < 1 ? 1 : lanes;
}

Result<void> check_runs_on(const Target& compiled, const Target& machine, std::string_view what) {
  if (compiled.kind != machine.kind || arch_of(compiled.triple) != arch_of(machine.triple)) {
    return error(ErrorCode::kUnsupported, "{} was compiled for {} {}, this machine is {} {}; compile it again here",
                 what, kind_name(compiled.kind), arch_of(compiled.triple), kind_name(machine.kind),
                 arch_of(machine.triple));
  }
  if (compiled.is_windows() != machine.is_windows()) {
    return error(ErrorCode::kUnsupported, "{} was compiled for {}, this machine is {}; compile it again here", what,
                 compiled.triple, machine.triple);
  }
  std::string missing;
  for (const auto& known : known_features(arch_of(compiled.triple))) {
    if (compiled.has(known) && !machine.has(known)) missing += (missing.empty() ? "" : ", ") + known;
  }
  if (missing.empty()) return {};
  return error(ErrorCode::kUnsupported,
               "{} was compiled for {} and needs {}, which this machine ({}) does not have; compile it again here",
               what, compiled.cpu, missing, machine.cpu);
}

}  // namespace mlc::target
