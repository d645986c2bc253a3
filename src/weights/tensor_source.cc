#include "weights/tensor_source.h"

#include <cstring>

#include "base/check.h"

namespace mlc::weights {

int64_t checked_elements(std::span<const int64_t> shape) {
  int64_t n = 1;
  for (int64_t d : shape) {
    if (d < 0 || __builtin_mul_overflow(n, d, &n) || n > INT64_MAX / 16) return -1;
  }
  return n;
}

int64_t TensorInfo::num_elements() const {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

std::string TensorInfo::str() const {
  std::string s = dtype.str() + "[";
  for (size_t i = 0; i < shape.size(); ++i) s += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return s + "]";
}

size_t TensorSource::index_of(const std::string& name) const {
  auto it = index_.find(name);
  if (it != index_.end()) return it->second;
  if (auto alias = aliases_.find(name); alias != aliases_.end()) it = index_.find(alias->second);
  return it == index_.end() ? kNone : it->second;
}

const TensorInfo* TensorSource::find(const std::string& name) const {
  const size_t i = index_of(name);
  return i == kNone ? nullptr : &tensors_[i];
}

Result<TensorData> TensorSource::read(const std::string& name) const {
  const size_t i = index_of(name);
  if (i == kNone) return error(ErrorCode::kNotFound, "{}: there is no tensor \"{}\"", where_, name);
  return read_at(i);
}

void TensorSource::release(const std::string& name) const {
  if (const size_t i = index_of(name); i != kNone) release_at(i);
}

bool TensorSource::add(TensorInfo info) {
  if (!index_.emplace(info.name, tensors_.size()).second) return false;
  tensors_.push_back(std::move(info));
  return true;
}

bool is_float_weight(DType t) {
  return t == DType::f32() || t == DType::f16() || t == DType::bf16() || t == DType::f64();
}

namespace {

template <typename Stored, typename Convert>
void convert_in(const std::byte* from, int64_t count, float* out, Convert convert) {
  for (int64_t i = 0; i < count; ++i) {
    Stored x;
    std::memcpy(&x, from + i * static_cast<int64_t>(sizeof x), sizeof x);
    out[i] = convert(x);
  }
}

template <typename Stored, typename Convert>
void convert_out(const float* in, int64_t count, std::byte* to, Convert convert) {
  for (int64_t i = 0; i < count; ++i) {
    const Stored x = convert(in[i]);
    std::memcpy(to + i * static_cast<int64_t>(sizeof x), &x, sizeof x);
  }
}

}  // namespace

void to_f32(DType dtype, std::span<const std::byte> bytes, int64_t first, int64_t count, float* out) {
  MLC_CHECK(first >= 0 && count >= 0 && static_cast<size_t>((first + count) * dtype.bytes()) <= bytes.size(),
            "elements {}..{} of {} bytes", first, first + count, bytes.size());
  const std::byte* from = bytes.data() + first * dtype.bytes();
  if (dtype == DType::f32()) {
    std::memcpy(out, from, static_cast<size_t>(count) * sizeof(float));
  } else if (dtype == DType::f16()) {
    convert_in<uint16_t>(from, count, out, f16_to_f32);
  } else if (dtype == DType::bf16()) {
    convert_in<uint16_t>(from, count, out, bf16_to_f32);
  } else if (dtype == DType::f64()) {
    convert_in<double>(from, count, out, [](double x) { return static_cast<float>(x); });
  } else {
    MLC_UNREACHABLE("no float dtype: {}", dtype.str());
  }
}

void from_f32(DType dtype, const float* in, int64_t count, std::span<std::byte> bytes, int64_t first) {
  MLC_CHECK(first >= 0 && count >= 0 && static_cast<size_t>((first + count) * dtype.bytes()) <= bytes.size(),
            "elements {}..{} of {} bytes", first, first + count, bytes.size());
  std::byte* to = bytes.data() + first * dtype.bytes();
  if (dtype == DType::f32()) {
    std::memcpy(to, in, static_cast<size_t>(count) * sizeof(float));
  } else if (dtype == DType::f16()) {
    convert_out<uint16_t>(in, count, to, f32_to_f16);
  } else if (dtype == DType::bf16()) {
    convert_out<uint16_t>(in, count, to, f32_to_bf16);
  } else {
    MLC_UNREACHABLE("no float dtype to write: {}", dtype.str());
  }
}

void MemorySource::put(TensorInfo info, std::vector<std::byte> bytes) {
  MLC_CHECK(static_cast<int64_t>(bytes.size()) == info.bytes(), "{}: {} bytes for {}", info.name, bytes.size(),
            info.str());
  const bool added = add(std::move(info));
  MLC_CHECK(added, "a tensor put twice");
  data_.push_back(std::make_shared<std::vector<std::byte>>(std::move(bytes)));
}

void MemorySource::put_f32(const std::string& name, std::vector<int64_t> shape, std::span<const float> values) {
  const auto bytes = std::as_bytes(values);
  put({name, DType::f32(), std::move(shape)}, {bytes.begin(), bytes.end()});
}

Result<TensorData> MemorySource::read_at(size_t index) const {
  return TensorData{tensors()[index], *data_[index], data_[index]};
}

}  // namespace mlc::weights
