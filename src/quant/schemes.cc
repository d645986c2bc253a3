#include "quant/scheme.h"

namespace mlc::quant {

const std::vector<const Scheme*>& all_schemes() {
  static const std::vector<const Scheme*> schemes = [] {
    std::vector<const Scheme*> list = float_schemes();
    for (const Scheme* s : group_schemes()) list.push_back(s);
    return list;
  }();
  return schemes;
}

std::string scheme_names() {
  std::string names;
  for (const Scheme* s : all_schemes()) names += (names.empty() ? "" : ", ") + s->name();
  return names;
}

const Scheme* find_scheme(const std::string& name) {
  for (const Scheme* s : all_schemes()) {
    if (s->name() == name) return s;
  }
  return nullptr;
}

Result<const Scheme*> scheme_by_name(const std::string& name) {
  if (const Scheme* s = find_scheme(name); s != nullptr) return s;
  return error(ErrorCode::kUnsupported, "the quantization \"{}\" is unknown; supported are {}", name, scheme_names());
}

std::string default_scheme(int64_t num_parameters, DType source_dtype) {
  if (num_parameters > kDefaultQuantizeAbove) return "q4f16_1";
  if (source_dtype == DType::f16()) return "q0f16";
  if (source_dtype == DType::bf16()) return "q0bf16";
  return "q0f32";
}

double Scheme::bits_per_weight() const {
  if (!is_quantized()) return bits_;
  return bits_ + 8.0 * static_cast<double>(model_dtype_.bytes()) / static_cast<double>(group_size_);
}

float round_to(DType dtype, float value) {
  if (dtype == DType::f16()) return f16_to_f32(f32_to_f16(value));
  if (dtype == DType::bf16()) return bf16_to_f32(f32_to_bf16(value));
  return value;
}

float largest_finite(DType dtype) {
  if (dtype == DType::f16()) return 65504.0f;
  if (dtype == DType::bf16()) return bf16_to_f32(0x7f7f);
  return 3.40282347e+38f;
}

}  // namespace mlc::quant
