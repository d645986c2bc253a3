// Memory on a device with an element type and a shape. One owner; moving is cheap, copying is explicit.
//
//   MLC_TRY(Tensor x, Tensor::create(device, DType::f32(), {4, 8}));
//   x.copy_from_host(values.data(), x.bytes());
//   float* p = x.as<float>();     // CPU only
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"
#include "runtime/device.h"

namespace mlc::runtime {

class Tensor {
 public:
  Tensor() = default;
  // capacity_bytes: at least this much memory (kernels that work on tiles of rows touch more than the shape); 0: the
  // shape's. 64 bytes more are always there. Contents are zero.
  static Result<Tensor> create(std::shared_ptr<Device> device, DType dtype, std::vector<int64_t> shape,
                               int64_t capacity_bytes = 0);
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  ~Tensor();

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t num_elements() const;
  int64_t bytes() const { return num_elements() * dtype_.bytes(); }
  int64_t capacity_bytes() const { return capacity_; }
  void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  void copy_from_host(const void* from, int64_t bytes);
  void copy_to_host(void* to, int64_t bytes) const;

 private:
  std::shared_ptr<Device> device_;
  DType dtype_;
  std::vector<int64_t> shape_;
  void* data_ = nullptr;
  int64_t capacity_ = 0;
};

}  // namespace mlc::runtime
