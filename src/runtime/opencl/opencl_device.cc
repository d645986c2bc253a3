#include "runtime/opencl/opencl_device.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <sstream>

#include "runtime/opencl/opencl_api.h"

namespace mlc::runtime {
namespace {

// What programs and buffers need of a device for as long as they live.
struct Context {
  const OpenclApi* api = nullptr;
  cl_device_id device = nullptr;
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;

  ~Context() {
    if (queue) api->clReleaseCommandQueue(queue);
    if (context) api->clReleaseContext(context);
  }
};

void check(cl_int code, const char* what) {
  MLC_CHECK(code == CL_SUCCESS, "OpenCL: {} failed: {}", what, opencl_error_name(code));
}

std::string device_text(const OpenclApi& api, cl_device_id device, cl_device_info what) {
  size_t size = 0;
  if (api.clGetDeviceInfo(device, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return "";
  std::string text(size, '\0');
  if (api.clGetDeviceInfo(device, what, size, text.data(), nullptr) != CL_SUCCESS) return "";
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
  return text;
}

template <typename T>
T device_value(const OpenclApi& api, cl_device_id device, cl_device_info what) {
  T value{};
  api.clGetDeviceInfo(device, what, sizeof(T), &value, nullptr);
  return value;
}

class Program : public OpenclProgram {
 public:
  Program(std::shared_ptr<Context> context, cl_program program) : context_(std::move(context)), program_(program) {}
  ~Program() override {
    for (auto& [name, kernel] : kernels_) context_->api->clReleaseKernel(kernel);
    context_->api->clReleaseProgram(program_);
  }

  Result<void> launch(const OpenclLaunch& call) override {
    const OpenclApi& api = *context_->api;
    const std::lock_guard<std::mutex> lock(mutex_);  // arguments belong to the kernel, not to the call
    MLC_TRY(cl_kernel kernel, find(call));
    cl_uint index = 0;
    for (void* b : call.buffers) {
      auto memory = static_cast<cl_mem>(b);
      MLC_TRY_VOID(argument(call, kernel, index++, sizeof(memory), &memory));
    }
    for (const int64_t size : call.sizes) {
      const cl_long value = size;
      MLC_TRY_VOID(argument(call, kernel, index++, sizeof(value), &value));
    }
    size_t global[3], local[3];
    for (size_t i = 0; i < 3; ++i) {
      if (call.groups[i] == 0) return {};
      local[i] = static_cast<size_t>(call.threads[i]);
      global[i] = static_cast<size_t>(call.groups[i]) * local[i];
    }
    const cl_int code =
        api.clEnqueueNDRangeKernel(context_->queue, kernel, 3, nullptr, global, local, 0, nullptr, nullptr);
    if (code == CL_SUCCESS) return {};
    return error(ErrorCode::kUnsupported,
                 "OpenCL refuses kernel {} with {} x {} x {} groups of {} x {} x {} threads: {}", call.kernel,
                 call.groups[0], call.groups[1], call.groups[2], call.threads[0], call.threads[1], call.threads[2],
                 opencl_error_name(code));
  }

 private:
  Result<cl_kernel> find(const OpenclLaunch& call) {
    const OpenclApi& api = *context_->api;
    cl_kernel& kernel = kernels_[call.kernel];
    if (!kernel) {
      cl_int code = CL_SUCCESS;
      kernel = api.clCreateKernel(program_, call.kernel.c_str(), &code);
      if (code != CL_SUCCESS) {
        kernels_.erase(call.kernel);
        return error(ErrorCode::kNotFound, "the OpenCL program has no kernel {}: {}", call.kernel,
                     opencl_error_name(code));
      }
    }
    cl_uint wanted = 0;
    check(api.clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(wanted), &wanted, nullptr), "clGetKernelInfo");
    const size_t given = call.buffers.size() + call.sizes.size();
    if (given != wanted) {
      return error("OpenCL kernel {} takes {} arguments, {} were given", call.kernel, wanted, given);
    }
    return kernel;
  }

  Result<void> argument(const OpenclLaunch& call, cl_kernel kernel, cl_uint index, size_t bytes, const void* value) {
    const cl_int code = context_->api->clSetKernelArg(kernel, index, bytes, value);
    if (code == CL_SUCCESS) return {};
    return error("OpenCL kernel {}: argument {} is refused: {}", call.kernel, index, opencl_error_name(code));
  }

  std::shared_ptr<Context> context_;
  cl_program program_;
  std::mutex mutex_;
  std::map<std::string, cl_kernel> kernels_;
};

// The first number between colons: "prog.cl:12:3: error: …" (clang), "error: prog.cl:12:3: …" (PoCL).
size_t line_number(const std::string& message) {
  std::istringstream in(message);
  for (std::string part; std::getline(in, part, ':');) {
    const bool digits = !part.empty() && part.size() < 9 && part.find_first_not_of("0123456789") == std::string::npos;
    if (digits) return std::stoul(part);
  }
  return 0;
}

// The lines of the source that the errors of a log name.
std::string named_lines(const std::string& source, const std::string& log) {
  std::vector<std::string> lines;
  std::istringstream in(source);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::string text;
  std::istringstream messages(log);
  size_t shown = 0, last = 0;
  for (std::string message; std::getline(messages, message) && shown < 5;) {
    const size_t number = message.find("error:") == std::string::npos ? 0 : line_number(message);
    if (number == 0 || number > lines.size() || number == last) continue;
    text += fmt::format("\n  line {}: {}", number, lines[number - 1]);
    last = number;
    ++shown;
  }
  return text;
}

class DeviceImpl : public OpenclDevice {
 public:
  DeviceImpl(std::shared_ptr<Context> context, OpenclFacts facts, std::string options)
      : context_(std::move(context)), facts_(std::move(facts)), options_(std::move(options)) {}

  std::string name() const override { return "opencl"; }
  const OpenclFacts& facts() const override { return facts_; }

  Result<void*> allocate(int64_t bytes) override {
    const OpenclApi& api = *context_->api;
    cl_int code = CL_SUCCESS;
    const auto size = static_cast<size_t>(bytes);
    cl_mem memory = api.clCreateBuffer(context_->context, CL_MEM_READ_WRITE, size, nullptr, &code);
    const cl_uchar zero = 0;
    if (code == CL_SUCCESS) {
      code = api.clEnqueueFillBuffer(context_->queue, memory, &zero, 1, 0, size, 0, nullptr, nullptr);
      if (code != CL_SUCCESS) api.clReleaseMemObject(memory);
    }
    if (code != CL_SUCCESS) {
      return error(ErrorCode::kUnavailable, "cannot allocate {} bytes on {}: {}", bytes, facts_.name,
                   opencl_error_name(code));
    }
    return static_cast<void*>(memory);
  }
  void free(void* memory, int64_t) override {
    synchronize();  // a queued kernel may still use it
    context_->api->clReleaseMemObject(static_cast<cl_mem>(memory));
  }
  void copy_from_host(void* to, const void* from, int64_t bytes) override {
    if (bytes == 0) return;
    check(context_->api->clEnqueueWriteBuffer(context_->queue, static_cast<cl_mem>(to), CL_TRUE, 0,
                                              static_cast<size_t>(bytes), from, 0, nullptr, nullptr),
          "a copy to the device");
  }
  void copy_to_host(void* to, const void* from, int64_t bytes) override {
    if (bytes == 0) return;
    check(context_->api->clEnqueueReadBuffer(context_->queue, memory_of(from), CL_TRUE, 0, static_cast<size_t>(bytes),
                                             to, 0, nullptr, nullptr),
          "a copy from the device");
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    if (bytes == 0) return;
    check(context_->api->clEnqueueCopyBuffer(context_->queue, memory_of(from), static_cast<cl_mem>(to), 0, 0,
                                             static_cast<size_t>(bytes), 0, nullptr, nullptr),
          "a copy within the device");
  }
  void synchronize() override { check(context_->api->clFinish(context_->queue), "waiting for the device"); }

  // OpenCL does not say what is free; the largest single allocation is the best answer there is.
  MemoryInfo memory_info() const override {
    const OpenclApi& api = *context_->api;
    MemoryInfo info;
    info.total_bytes = static_cast<int64_t>(device_value<cl_ulong>(api, context_->device, CL_DEVICE_GLOBAL_MEM_SIZE));
    info.available_bytes =
        static_cast<int64_t>(device_value<cl_ulong>(api, context_->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE));
    return info;
  }

  Result<std::shared_ptr<OpenclProgram>> build(const std::string& source) override {
    const OpenclApi& api = *context_->api;
    const char* text = source.c_str();
    const size_t length = source.size();
    cl_int code = CL_SUCCESS;
    cl_program program = api.clCreateProgramWithSource(context_->context, 1, &text, &length, &code);
    if (code != CL_SUCCESS) return error("OpenCL refuses the program: {}", opencl_error_name(code));
    auto built = std::make_shared<Program>(context_, program);
    code = api.clBuildProgram(program, 1, &context_->device, options_.c_str(), nullptr, nullptr);
    if (code != CL_SUCCESS) {
      const std::string log = build_log(program);
      return error("OpenCL cannot build the program on {}: {}\n{}{}", facts_.name, opencl_error_name(code), log,
                   named_lines(source, log));
    }
    return std::shared_ptr<OpenclProgram>(built);
  }

 private:
  static cl_mem memory_of(const void* memory) { return static_cast<cl_mem>(const_cast<void*>(memory)); }

  std::string build_log(cl_program program) const {
    const OpenclApi& api = *context_->api;
    size_t size = 0;
    api.clGetProgramBuildInfo(program, context_->device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size);
    std::string log(size, '\0');
    api.clGetProgramBuildInfo(program, context_->device, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
    while (!log.empty() && (log.back() == '\0' || log.back() == '\n')) log.pop_back();
    return log.empty() ? "(the compiler left no log)" : log;
  }

  std::shared_ptr<Context> context_;
  OpenclFacts facts_;
  std::string options_;
};

// A GPU of any platform if there is one, else the first device.
Result<cl_device_id> choose_device(const OpenclApi& api) {
  cl_uint count = 0;
  if (api.clGetPlatformIDs(0, nullptr, &count) != CL_SUCCESS || count == 0) {
    return error(ErrorCode::kUnavailable,
                 "the OpenCL loader knows no platform: install the driver of the GPU, or pocl-opencl-icd for a device "
                 "on the CPU, and see OCL_ICD_VENDORS");
  }
  std::vector<cl_platform_id> platforms(count);
  api.clGetPlatformIDs(count, platforms.data(), nullptr);
  for (const cl_device_type type :
       {static_cast<cl_device_type>(CL_DEVICE_TYPE_GPU), static_cast<cl_device_type>(CL_DEVICE_TYPE_ALL)}) {
    for (cl_platform_id p : platforms) {
      cl_device_id device = nullptr;
      if (api.clGetDeviceIDs(p, type, 1, &device, nullptr) == CL_SUCCESS && device) return device;
    }
  }
  return error(ErrorCode::kUnavailable, "OpenCL has {} platform(s), but none has a device", count);
}

OpenclFacts read_facts(const OpenclApi& api, cl_device_id device) {
  OpenclFacts f;
  f.name = device_text(api, device, CL_DEVICE_NAME);
  f.version = device_text(api, device, CL_DEVICE_VERSION);
  f.platform = device_text(api, device, CL_DEVICE_VENDOR);
  f.shared_bytes = static_cast<int64_t>(device_value<cl_ulong>(api, device, CL_DEVICE_LOCAL_MEM_SIZE));
  f.max_threads = static_cast<int64_t>(device_value<size_t>(api, device, CL_DEVICE_MAX_WORK_GROUP_SIZE));
  f.is_gpu = (device_value<cl_device_type>(api, device, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_GPU) != 0;
  f.has_fp64 = device_value<cl_device_fp_config>(api, device, CL_DEVICE_DOUBLE_FP_CONFIG) != 0;
  return f;
}

}  // namespace

Result<std::shared_ptr<OpenclDevice>> make_opencl_device() {
  MLC_TRY(const OpenclApi* api, opencl_api());
  MLC_TRY(cl_device_id device, choose_device(*api));
  auto context = std::make_shared<Context>();
  context->api = api;
  context->device = device;
  cl_int code = CL_SUCCESS;
  context->context = api->clCreateContext(nullptr, 1, &device, nullptr, nullptr, &code);
  if (code == CL_SUCCESS) context->queue = api->clCreateCommandQueue(context->context, device, 0, &code);
  const OpenclFacts facts = read_facts(*api, device);
  if (code != CL_SUCCESS) {
    return error(ErrorCode::kUnavailable, "the OpenCL device {} cannot be used: {}", facts.name,
                 opencl_error_name(code));
  }
  // Division and square root as IEEE has them, where the device can.
  const auto config = device_value<cl_device_fp_config>(*api, device, CL_DEVICE_SINGLE_FP_CONFIG);
  std::string options = "-cl-std=CL1.2";
  if (config & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) options += " -cl-fp32-correctly-rounded-divide-sqrt";
  return std::shared_ptr<OpenclDevice>(std::make_shared<DeviceImpl>(context, facts, options));
}

}  // namespace mlc::runtime
