// OpenCL devices, through the system's loader (libOpenCL.so.1), which is opened when first asked for: a machine without
// it runs everything else.
//
//   MLC_TRY(auto device, make_opencl_device());                     // a GPU if there is one, else any device
//   MLC_TRY(Tensor x, Tensor::create(device, DType::f32(), {4, 8}));
//   MLC_TRY(auto program, device->build(source));                   // OpenCL C, from codegen/c_style
//   MLC_TRY_VOID(program->launch({"scale", {x.data()}, {4}, {1, 1, 1}, {8, 1, 1}}));
//   device->synchronize();
//
// Work runs in the order in which it was given, on one queue. Memory is a handle, not an address.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace mlc::runtime {

struct OpenclFacts {
  std::string name, platform, version;  // "OpenCL 3.0 PoCL ..."
  int64_t shared_bytes = 0;             // of one work-group
  int64_t max_threads = 1;              // of one work-group
  bool is_gpu = false;
  bool has_fp64 = false;
};

// One call of a kernel. Arguments: memory from Device::allocate, then 64-bit sizes. Every group count and thread count
// is at least 1, unless a group count is 0: then nothing runs.
struct OpenclLaunch {
  std::string kernel;
  std::vector<void*> buffers;
  std::vector<int64_t> sizes;
  std::array<int64_t, 3> groups = {1, 1, 1};
  std::array<int64_t, 3> threads = {1, 1, 1};  // of one group
};

class OpenclProgram {
 public:
  virtual ~OpenclProgram() = default;
  // Puts the call on the device's queue. Errors: no such kernel, wrong arguments, a grid that the device refuses.
  virtual Result<void> launch(const OpenclLaunch& call) = 0;
};

class OpenclDevice : public Device {
 public:
  virtual const OpenclFacts& facts() const = 0;
  // Compiles a program. The error has the compiler's log and the lines that it names.
  virtual Result<std::shared_ptr<OpenclProgram>> build(const std::string& source) = 0;
};

// kUnavailable when there is no OpenCL loader, platform or device; the message says what to install.
Result<std::shared_ptr<OpenclDevice>> make_opencl_device();

}  // namespace mlc::runtime
