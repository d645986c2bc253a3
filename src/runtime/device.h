// A place that holds memory and runs kernels.
//
//   std::shared_ptr<Device> cpu = make_cpu_device();
//   MLC_TRY(Tensor t, Tensor::create(cpu, DType::f32(), {3, 64}));
//
// Pointers are the device's own: for the CPU plain addresses, for others opaque handles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace mlc::runtime {

struct MemoryInfo {
  int64_t total_bytes = 0;
  int64_t available_bytes = 0;  // what could be allocated now without swapping
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;  // "cpu", "null"
  // Aligned to 64 bytes (CPU: to a page), zeroed. kUnavailable when there is no memory. bytes > 0.
  virtual Result<void*> allocate(int64_t bytes) = 0;
  virtual void free(void* memory, int64_t bytes) = 0;
  virtual void copy_from_host(void* to, const void* from, int64_t bytes) = 0;
  virtual void copy_to_host(void* to, const void* from, int64_t bytes) = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;  // within the device
  virtual void synchronize() = 0;                                    // waits for everything given so far
  virtual MemoryInfo memory_info() const = 0;
};

std::shared_ptr<Device> make_cpu_device();
// Accepts everything, keeps nothing: copies do nothing and reads give zeros. For tests of what is above.
std::shared_ptr<Device> make_null_device();

}  // namespace mlc::runtime
