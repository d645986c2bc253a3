#include "weights/synthetic.h"

#include <cmath>

#include "base/cpu_count.h"
#include "base/parallel.h"

namespace mlc::weights {
namespace {

constexpr uint64_t kStep = 0x9E3779B97F4A7C15u;

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

float uniform(uint64_t bits) {
  const auto twice = static_cast<int32_t>(2 * (bits >> 40) + 1) - (1 << 24);
  return static_cast<float>(twice) * 0x1p-24f;
}

uint32_t codes4(uint64_t bits) {
  auto w = static_cast<uint32_t>(bits >> 32);
  const uint32_t full = w & (w >> 1) & (w >> 2) & (w >> 3) & 0x11111111u;
  return w & ~(full << 3);
}

uint32_t codes8(uint64_t bits) {
  auto w = static_cast<uint32_t>(bits >> 32);
  for (int shift = 0; shift < 32; shift += 8) {
    if (((w >> shift) & 0xffu) == 0xffu) w &= ~(0x80u << shift);
  }
  return w;
}

constexpr int64_t kChunk = 4096;

void fill_uniform(const TensorInfo& info, const Fill& fill, uint64_t key, int64_t begin, int64_t end,
                  std::span<std::byte> out) {
  const auto mean = static_cast<float>(fill.mean);
  const auto bound = static_cast<float>(fill.bound);
  float chunk[kChunk];
  for (int64_t at = begin; at < end; at += kChunk) {
    const int64_t n = std::min(kChunk, end - at);
    // Two loops, two roundings: a fused multiply-add would give other bits than numpy.
    for (int64_t i = 0; i < n; ++i) chunk[i] = bound * uniform(synthetic_bits(key, at + i));
    asm volatile("" : : "r"(chunk) : "memory");
    for (int64_t i = 0; i < n; ++i) chunk[i] = mean + chunk[i];
    from_f32(info.dtype, chunk, n, out, at);
  }
}

}  // namespace

uint64_t synthetic_key(uint64_t seed, std::string_view name) {
  uint64_t h = 0xCBF29CE484222325u;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return mix(h ^ (seed * kStep));
}

uint64_t synthetic_bits(uint64_t key, int64_t i) { return mix(key + (static_cast<uint64_t>(i) + 1) * kStep); }

Fill default_fill(const std::string& name, const std::vector<int64_t>& shape) {
  if (name.ends_with("norm.weight")) return Fill::uniform(1.0, 0.2);
  if (name.ends_with(".bias")) return Fill::uniform(0.0, 0.1);
  return Fill::uniform(0.0, std::sqrt(3.0 / static_cast<double>(shape.empty() ? 1 : shape.back())));
}

SyntheticSource::SyntheticSource(std::vector<SyntheticSpec> specs, uint64_t seed)
    : TensorSource("synthetic weights"), seed_(seed) {
  for (SyntheticSpec& spec : specs) {
    const bool uniform_fill = spec.fill.kind == Fill::Kind::kUniform;
    MLC_CHECK(uniform_fill ? is_float_weight(spec.info.dtype) : spec.info.dtype == DType::u32(), "{} cannot be {}",
              spec.info.name, spec.info.str());
    fills_.push_back(spec.fill);
    const bool added = add(std::move(spec.info));
    MLC_CHECK(added, "a synthetic tensor twice");
  }
}

Result<TensorData> SyntheticSource::read_at(size_t index) const {
  const TensorInfo& info = tensors()[index];
  const Fill& fill = fills_[index];
  const uint64_t key = synthetic_key(seed_, info.name);
  const int64_t n = info.num_elements();
  std::shared_ptr<std::byte[]> memory(new std::byte[static_cast<size_t>(info.bytes())]);
  const std::span<std::byte> out(memory.get(), static_cast<size_t>(info.bytes()));
  const int threads = n < (1 << 18) ? 1 : default_num_threads();
  parallel_ranges(n, threads, [&](int64_t begin, int64_t end) {
    if (fill.kind == Fill::Kind::kUniform) return fill_uniform(info, fill, key, begin, end, out);
    auto* words = reinterpret_cast<uint32_t*>(out.data());
    for (int64_t i = begin; i < end; ++i) {
      const uint64_t bits = synthetic_bits(key, i);
      words[i] = fill.kind == Fill::Kind::kCodes4 ? codes4(bits) : codes8(bits);
    }
  });
  return TensorData{info, out, memory};
}

}  // namespace mlc::weights
