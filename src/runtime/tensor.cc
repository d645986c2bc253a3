#include "runtime/tensor.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace mlc::runtime {

Result<Tensor> Tensor::create(std::shared_ptr<Device> device, DType dtype, std::vector<int64_t> shape,
                              int64_t capacity_bytes) {
  Tensor t;
  t.dtype_ = dtype;
  t.shape_ = std::move(shape);
  for (int64_t d : t.shape_) MLC_CHECK(d >= 0, "a tensor with a dimension of {}", d);
  t.capacity_ = std::max(t.bytes(), capacity_bytes) + 64;
  MLC_TRY(t.data_, device->allocate(t.capacity_));
  t.device_ = std::move(device);
  return t;
}

Tensor::Tensor(Tensor&& other) noexcept { *this = std::move(other); }

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(dtype_, other.dtype_);
  std::swap(shape_, other.shape_);
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

Tensor::~Tensor() {
  if (data_ != nullptr) device_->free(data_, capacity_);
}

int64_t Tensor::num_elements() const {
  int64_t n = 1;
  for (int64_t d : shape_) n *= d;
  return n;
}

void Tensor::copy_from_host(const void* from, int64_t bytes) {
  MLC_CHECK(bytes >= 0 && bytes <= capacity_, "{} bytes into a tensor of {}", bytes, capacity_);
  if (bytes > 0) device_->copy_from_host(data_, from, bytes);
}

void Tensor::copy_to_host(void* to, int64_t bytes) const {
  MLC_CHECK(bytes >= 0 && bytes <= capacity_, "{} bytes out of a tensor of {}", bytes, capacity_);
  if (bytes > 0) device_->copy_to_host(to, data_, bytes);
}

}  // namespace mlc::runtime
