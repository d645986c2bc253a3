#include "runtime/opencl/opencl_api.h"

#include "runtime/cpu/library.h"

namespace mlc::runtime {
namespace {

Result<const OpenclApi*> open_loader() {
#if defined(__APPLE__)
  static constexpr const char* kNames[] = {"/System/Library/Frameworks/OpenCL.framework/OpenCL"};
#elif defined(_WIN32)
  static constexpr const char* kNames[] = {"OpenCL.dll"};
#else
  static constexpr const char* kNames[] = {"libOpenCL.so.1", "libOpenCL.so"};
#endif
  void* library = nullptr;
  for (const char* name : kNames) {
    if (!library) library = open_system_library(name);
  }
  if (!library) {
    return error(ErrorCode::kUnavailable,
                 "there is no OpenCL here: {} cannot be opened. Install the driver of the GPU, or pocl-opencl-icd for "
                 "a device on the CPU",
                 kNames[0]);
  }
  auto* api = new OpenclApi;  // for the life of the process
#define MLC_FIND(f)                                                                                       \
  api->f = reinterpret_cast<decltype(api->f)>(find_symbol(library, #f));                                  \
  if (!api->f) {                                                                                          \
    return error(ErrorCode::kUnavailable, "the OpenCL loader lacks {}: it is older than OpenCL 1.2", #f); \
  }
  MLC_OPENCL_FUNCTIONS(MLC_FIND)
#undef MLC_FIND
  return api;
}

}  // namespace

Result<const OpenclApi*> opencl_api() {
  static const auto* api = new Result<const OpenclApi*>(open_loader());
  return *api;
}

std::string opencl_error_name(cl_int code) {
  static constexpr struct {
    cl_int code;
    const char* name;
  } kNames[] = {{CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
                {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
                {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
                {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
                {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
                {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
                {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
                {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
                {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
                {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS"},
                {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME"},
                {CL_INVALID_ARG_INDEX, "CL_INVALID_ARG_INDEX"},
                {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE"},
                {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
                {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
                {CL_INVALID_WORK_ITEM_SIZE, "CL_INVALID_WORK_ITEM_SIZE"},
                {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT"}};
  for (const auto& n : kNames) {
    if (n.code == code) return fmt::format("{} ({})", n.name, code);
  }
  return fmt::format("OpenCL error {}", code);
}

}  // namespace mlc::runtime
