#include "artifact/artifact.h"

#include <fmt/format.h>

#include "base/check.h"

namespace mlc::artifact {

int64_t LinearSize::eval(const SymbolValues& s) const {
  int64_t total = constant;
  for (int i = 0; i < kNumSymbols; ++i) total += coefficients[i] * s.values[i];
  return total;
}

int64_t TensorSpec::num_elements() const {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

int64_t TensorSpec::bytes() const { return num_elements() * dtype.bytes(); }

namespace {

constexpr const char* kSymbolLetters[kNumSymbols] = {"T", "R", "P", "N", "Q"};

std::string print_size(const LinearSize& size) {
  std::string out;
  for (int i = 0; i < kNumSymbols; ++i) {
    if (size.coefficients[i] == 0) continue;
    if (!out.empty()) out += " + ";
    out +=
        size.coefficients[i] == 1 ? kSymbolLetters[i] : fmt::format("{}*{}", size.coefficients[i], kSymbolLetters[i]);
  }
  if (size.constant != 0 || out.empty()) out += fmt::format("{}{}", out.empty() ? "" : " + ", size.constant);
  return out;
}

std::string print_spec(const TensorSpec& spec) {
  std::string dims;
  for (int64_t d : spec.shape) dims += fmt::format("{}{}", dims.empty() ? "" : ", ", d < 0 ? "?" : std::to_string(d));
  return fmt::format("{}: {}[{}]", spec.name, spec.dtype.str(), dims);
}

std::string print_buffer(const Artifact& a, const BufferRef& ref) {
  const auto i = static_cast<size_t>(ref.index);
  switch (ref.kind) {
    case BufferKind::kParam:
      return a.params[i].packed.name;
    case BufferKind::kTemp:
      return "%" + a.plan.temps[i].name;
    case BufferKind::kInput:
      return "in." + a.inputs[i].name;
    case BufferKind::kOutput:
      return "out." + a.outputs[i].name;
    case BufferKind::kKv:
      return "kv." + a.kv[i].name;
  }
  MLC_UNREACHABLE("buffer kind {}", static_cast<int>(ref.kind));
}

std::string print_call(const Artifact& a, const KernelCall& call) {
  std::string args, sizes, variants;
  for (const BufferRef& b : call.buffers) args += (args.empty() ? "" : ", ") + print_buffer(a, b);
  for (const LinearSize& s : call.sizes) sizes += (sizes.empty() ? "" : ", ") + print_size(s);
  for (const KernelVariant& v : call.variants) {
    const std::string range = v.max < 0 ? fmt::format("{}..", v.min) : fmt::format("{}..{}", v.min, v.max);
    variants += fmt::format(" {}: {}", range, v.kernel);
  }
  static constexpr const char* kWhens[kNumWhens] = {"", " unless attention is split", " if attention is split"};
  return fmt::format("{}({}; {}){} by {}:{}", call.name, args, sizes, kWhens[static_cast<int>(call.when)],
                     kSymbolLetters[static_cast<int>(call.rows)], variants);
}

}  // namespace

std::string print_plan(const Artifact& a) {
  std::string out = fmt::format("artifact abi {} by {}\ntarget {}\nfeatures {}\nlayout {}\n", a.abi_version, a.compiler,
                                a.target, a.target_features, a.layout_id);
  out += fmt::format("model {} {} activation {}\n", a.facts.model_type, a.facts.quantization, a.facts.activation);
  out += "symbols: T token rows, R logit rows, P block table entries, N pages\n\ninputs\n";
  for (const TensorSpec& s : a.inputs) out += "  " + print_spec(s) + "\n";
  out += "outputs\n";
  for (const TensorSpec& s : a.outputs) out += "  " + print_spec(s) + "\n";
  out += "params\n";
  for (const Param& p : a.params) {
    out += "  " + print_spec(p.packed) + " <-";
    if (!p.pack_kernel.empty()) out += " " + p.pack_kernel;
    for (const TensorSpec& s : p.sources) out += " " + print_spec(s);
    out += "\n";
  }
  out += fmt::format("temps ({} bytes)\n", print_size(a.plan.temp_bytes));
  for (const Temp& t : a.plan.temps) {
    out += fmt::format("  %{}: {} at {} size {}\n", t.name, t.dtype.str(), print_size(t.offset_bytes),
                       print_size(t.size_bytes));
  }
  out += "calls\n";
  for (size_t i = 0; i < a.plan.calls.size(); ++i) out += fmt::format("  {:4} {}\n", i, print_call(a, a.plan.calls[i]));
  return out;
}

}  // namespace mlc::artifact
