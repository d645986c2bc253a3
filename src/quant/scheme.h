// Quantization schemes: how a weight matrix W[N, K] of a linear layer or an embedding lies in a model directory. Here
// are the names, the layout and the reference encode and decode; how kernels read a scheme is quant/packed.h.
//
//   MLC_TRY(const Scheme* s, scheme_by_name("q4f16_1"));
//   for (const Part& p : s->parts(n, k)) ...   // ".q_weight" u32 [n, 4 * ceil(k/32)], ".q_scale" f16 [n, ceil(k/32)]
//   s->encode(rows, first, count, k, buffers);   // f32 rows -> the buffers of the parts
//
// Float schemes have one part, ".weight", in the model dtype. Group schemes (MLC LLM's group quantization, "NK" layout)
// have groups of 32 along K:
//   w      is rounded to the model dtype first
//   scale  = max|w| / m, rounded to the model dtype; m = 7 for 4 bits, 127 for 8
//   code   = clamp(floor(w / scale + m + 0.5), 0, 2m), computed in float32
//   w'     = (code - m) * scale
// Codes are packed into u32 words, lowest bits first. Behind the end of a row, codes are 0 and never read. A group
// whose scale is 0 has the code m throughout. MLC rounds intermediate values as its device does; its codes may differ
// from these by one step where w lies half way, which both conventions decode to the same error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace mlc::quant {

// One stored tensor of a quantized matrix.
struct Part {
  std::string suffix;  // behind the parameter's name without ".weight"
  DType dtype;
  std::vector<int64_t> shape;  // the first dimension is N
  int64_t row_bytes() const { return shape[1] * dtype.bytes(); }
  int64_t bytes() const { return shape[0] * row_bytes(); }
};

class Scheme {
 public:
  Scheme(std::string name, DType model_dtype, int bits, int64_t group_size)
      : name_(std::move(name)), model_dtype_(model_dtype), bits_(bits), group_size_(group_size) {}
  virtual ~Scheme() = default;

  const std::string& name() const { return name_; }
  // Of everything that is not quantized (norms, biases), and of the scales.
  DType model_dtype() const { return model_dtype_; }
  bool is_quantized() const { return group_size_ > 0; }
  int bits() const { return bits_; }                  // per weight, without scales
  int64_t group_size() const { return group_size_; }  // 0 for float schemes
  double bits_per_weight() const;

  virtual std::vector<Part> parts(int64_t n, int64_t k) const = 0;

  // Encodes f32 rows [count, k] into rows first … first + count of the parts' buffers (whole matrices, in the order of
  // parts()). False: a value is not finite, or too large for the model dtype. Different rows may be encoded by
  // different threads at the same time.
  [[nodiscard]] virtual bool encode(const float* rows, int64_t first, int64_t count, int64_t k,
                                    std::span<const std::span<std::byte>> buffers) const = 0;
  // The inverse: what a model of this scheme computes with.
  virtual void decode(std::span<const std::span<const std::byte>> buffers, int64_t first, int64_t count, int64_t k,
                      float* rows) const = 0;

 private:
  std::string name_;
  DType model_dtype_;
  int bits_;
  int64_t group_size_;
};

// All schemes, in the order of --help.
const std::vector<const Scheme*>& all_schemes();
// "q0f32, q0f16, ...": for messages and --help.
std::string scheme_names();
const Scheme* find_scheme(const std::string& name);  // nullptr if there is none
Result<const Scheme*> scheme_by_name(const std::string& name);

// The scheme for a model when the user names none: 4-bit over 100 M parameters, the weights' own precision below.
inline constexpr int64_t kDefaultQuantizeAbove = 100'000'000;
std::string default_scheme(int64_t num_parameters, DType source_dtype);

// Rounds to a float dtype and back. Exact for f32.
float round_to(DType dtype, float value);
float largest_finite(DType dtype);

// The families; schemes.cc lists their members.
std::vector<const Scheme*> float_schemes();  // float_scheme.cc
std::vector<const Scheme*> group_schemes();  // group_scheme.cc

}  // namespace mlc::quant
