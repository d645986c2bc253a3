// q0f32, q0f16, q0bf16: weights as they are, in the model dtype.
#include <cmath>
#include <cstring>

#include "quant/scheme.h"

namespace mlc::quant {
namespace {

class FloatScheme : public Scheme {
 public:
  FloatScheme(const char* name, DType dtype) : Scheme(name, dtype, dtype.bits, 0) {}

  std::vector<Part> parts(int64_t n, int64_t k) const override { return {{".weight", model_dtype(), {n, k}}}; }

  bool encode(const float* rows, int64_t first, int64_t count, int64_t k,
              std::span<const std::span<std::byte>> buffers) const override {
    std::byte* out = buffers[0].data() + first * k * model_dtype().bytes();
    const float limit = largest_finite(model_dtype());
    bool fits = true;
    for (int64_t i = 0; i < count * k; ++i) fits &= std::abs(rows[i]) <= limit;
    if (model_dtype() == DType::f32()) {
      std::memcpy(out, rows, static_cast<size_t>(count * k) * 4);
      return fits;
    }
    const bool half = model_dtype() == DType::f16();
    for (int64_t i = 0; i < count * k; ++i) {
      const uint16_t bits = half ? f32_to_f16(rows[i]) : f32_to_bf16(rows[i]);
      std::memcpy(out + 2 * i, &bits, 2);
    }
    return fits;
  }

  void decode(std::span<const std::span<const std::byte>> buffers, int64_t first, int64_t count, int64_t k,
              float* rows) const override {
    const std::byte* in = buffers[0].data() + first * k * model_dtype().bytes();
    if (model_dtype() == DType::f32()) {
      std::memcpy(rows, in, static_cast<size_t>(count * k) * 4);
      return;
    }
    const bool half = model_dtype() == DType::f16();
    for (int64_t i = 0; i < count * k; ++i) {
      uint16_t bits;
      std::memcpy(&bits, in + 2 * i, 2);
      rows[i] = half ? f16_to_f32(bits) : bf16_to_f32(bits);
    }
  }
};

}  // namespace

std::vector<const Scheme*> float_schemes() {
  static const FloatScheme f32("q0f32", DType::f32()), f16("q0f16", DType::f16()), bf16("q0bf16", DType::bf16());
  return {&f32, &f16, &bf16};
}

}  // namespace mlc::quant
