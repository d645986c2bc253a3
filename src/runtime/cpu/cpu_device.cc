#include <cerrno>
#include <cstring>

#include "base/os.h"
#include "runtime/cpu/memory_info.h"
#include "runtime/device.h"

namespace mlc::runtime {
namespace {

// Memory straight from the kernel: zeroed, committed when first touched, in huge pages where they are to be had (the
// weights and the KV cache are read from end to end; small pages would cost a TLB miss per 4 KiB).
class CpuDevice : public Device {
 public:
  std::string name() const override { return "cpu"; }

  Result<void*> allocate(int64_t bytes) override {
    void* memory = os::allocate_pages(static_cast<size_t>(bytes));
    if (memory == nullptr) {
      return error(ErrorCode::kUnavailable, "cannot allocate {} MiB of memory: {}", bytes >> 20, std::strerror(errno));
    }
    return memory;
  }
  void free(void* memory, int64_t bytes) override { os::free_pages(memory, static_cast<size_t>(bytes)); }
  void copy_from_host(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy_to_host(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override { std::memmove(to, from, static_cast<size_t>(bytes)); }
  void synchronize() override {}
  MemoryInfo memory_info() const override { return read_memory_info(""); }
};

}  // namespace

std::shared_ptr<Device> make_cpu_device() { return std::make_shared<CpuDevice>(); }

}  // namespace mlc::runtime
