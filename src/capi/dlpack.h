// The structs of DLPack (https://dmlc.github.io/dlpack/latest/, version 1.0) and tensors in that form. The layout is
// the standard's, so that a capsule made of it is read by NumPy, PyTorch, JAX and others without a copy.
//
//   DLManagedTensor* t = to_dlpack(std::move(matrix));      // whoever takes it calls t->deleter(t)
#pragma once

#include <cstdint>

#include "capi/source.h"

extern "C" {

struct DLDevice {
  int32_t device_type;  // 1: CPU
  int32_t device_id;
};
struct DLDataType {
  uint8_t code;  // 2: floating point
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row by row
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
struct DLPackVersion {
  uint32_t major, minor;
};
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned* self);
  uint64_t flags;  // bit 0: read only
  DLTensor dl_tensor;
};
}

namespace mlc::capi {

// The memory goes with the result.
DLManagedTensor* to_dlpack(Matrix matrix);
DLManagedTensorVersioned* to_dlpack_versioned(Matrix matrix);

}  // namespace mlc::capi
