#include <cstring>

#include "runtime/device.h"

namespace mlc::runtime {
namespace {

class NullDevice : public Device {
 public:
  std::string name() const override { return "null"; }
  // Distinct, aligned values that must never be dereferenced.
  Result<void*> allocate(int64_t bytes) override {
    void* handle = reinterpret_cast<void*>(next_);
    next_ += static_cast<uintptr_t>((bytes + 63) / 64 * 64);
    return handle;
  }
  void free(void*, int64_t) override {}
  void copy_from_host(void*, const void*, int64_t) override {}
  void copy_to_host(void* to, const void*, int64_t bytes) override { std::memset(to, 0, static_cast<size_t>(bytes)); }
  void copy(void*, const void*, int64_t) override {}
  void synchronize() override {}
  MemoryInfo memory_info() const override { return {int64_t{1} << 40, int64_t{1} << 40}; }

 private:
  uintptr_t next_ = 64;
};

}  // namespace

std::shared_ptr<Device> make_null_device() { return std::make_shared<NullDevice>(); }

}  // namespace mlc::runtime
