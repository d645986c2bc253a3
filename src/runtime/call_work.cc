#include "runtime/call_work.h"

#include <algorithm>

namespace mlc::runtime {
namespace {

using artifact::BufferKind;

// Bytes per row of an input or output, or of the whole if it does not grow with the rows.
double row_bytes(const artifact::TensorSpec& spec, double rows) {
  double bytes = static_cast<double>(spec.dtype.bytes());
  bool grows = false;
  for (int64_t d : spec.shape) {
    grows |= d < 0;
    if (d >= 0) bytes *= static_cast<double>(d);
  }
  return grows ? bytes * rows : bytes;
}

}  // namespace

Work& Work::operator+=(const Work& o) {
  weight_bytes += o.weight_bytes;
  activation_bytes += o.activation_bytes;
  kv_bytes += o.kv_bytes;
  int8_ops += o.int8_ops;
  f32_ops += o.f32_ops;
  bf16_ops += o.bf16_ops;
  return *this;
}

Work Work::times(double n) const {
  return {weight_bytes * n, activation_bytes * n, kv_bytes * n, int8_ops * n, f32_ops * n, bf16_ops * n};
}

Bound bound_of(const Work& work, const MachineLimits& limits) {
  if (!limits.known()) return {};
  const double read_s = work.memory_bytes() / 1e9 / limits.read_gb_per_s;
  const double int8_s = work.int8_ops / 1e12 / limits.int8_tops, f32_s = work.f32_ops / 1e12 / limits.f32_tflops;
  const double bf16_s = work.bf16_ops > 0 ? work.bf16_ops / 1e12 / limits.bf16_tflops : 0;
  const double compute_s = int8_s + f32_s + bf16_s;
  if (read_s >= compute_s) return {read_s, "read"};
  const double most = std::max({int8_s, f32_s, bf16_s});
  return {compute_s, most == int8_s ? "int8" : most == f32_s ? "f32" : "bf16"};
}

Work call_work(const artifact::Artifact& a, const artifact::KernelCall& call, int64_t rows) {
  Work w;
  w.weight_bytes = static_cast<double>(call.param_bytes);
  const auto n = static_cast<double>(rows);
  // Activations that come as words of bytes or of two bf16 say what the products are.
  bool integer = false, halves = false;
  for (const artifact::BufferRef& b : call.buffers) {
    const auto i = static_cast<size_t>(b.index);
    if (b.kind == BufferKind::kTemp) {
      const artifact::Temp& t = a.plan.temps[i];
      w.activation_bytes += n * static_cast<double>(t.size_bytes.coefficients[static_cast<int>(call.rows)]);
      integer |= t.dtype == DType::i32();
      halves |= t.dtype == DType::u32();
    } else if (b.kind == BufferKind::kInput) {
      w.activation_bytes += row_bytes(a.inputs[i], n);
    } else if (b.kind == BufferKind::kOutput) {
      w.activation_bytes += row_bytes(a.outputs[i], n);
    }
  }
  (integer ? w.int8_ops : halves ? w.bf16_ops : w.f32_ops) = n * static_cast<double>(call.ops_per_row);
  return w;
}

bool reads_context(const artifact::Artifact& a, const artifact::KernelCall& call) {
  return std::any_of(call.buffers.begin(), call.buffers.end(), [&](const artifact::BufferRef& b) {
    return b.kind == BufferKind::kInput && a.inputs[static_cast<size_t>(b.index)].name == "block_tables";
  });
}

Work attention_work(const artifact::ModelFacts& f, double pairs, double cached) {
  Work w;
  const int64_t scale = f.kv_dtype == DType::i8() ? 4 : 0;  // bytes of an integer key's or value's scale
  w.kv_bytes = cached * static_cast<double>(2 * f.num_kv_heads * (f.head_dim * f.kv_dtype.bytes() + scale));
  w.f32_ops = pairs * static_cast<double>(4 * f.num_heads * f.head_dim);  // scores, then the weighted sum of values
  return w;
}

}  // namespace mlc::runtime
