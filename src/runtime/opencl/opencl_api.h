// The functions of libOpenCL that we call, found at run time. Private to runtime/opencl.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <string>

#include "base/result.h"

namespace mlc::runtime {

// clang-format off: it has no stable form for such a list
#define MLC_OPENCL_FUNCTIONS(X) \
  X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo) \
  X(clCreateContext) X(clReleaseContext) X(clCreateCommandQueue) X(clReleaseCommandQueue) \
  X(clCreateBuffer) X(clReleaseMemObject) X(clEnqueueFillBuffer) X(clEnqueueReadBuffer) \
  X(clEnqueueWriteBuffer) X(clEnqueueCopyBuffer) X(clCreateProgramWithSource) X(clBuildProgram) \
  X(clGetProgramBuildInfo) X(clReleaseProgram) X(clCreateKernel) X(clReleaseKernel) \
  X(clGetKernelInfo) X(clSetKernelArg) X(clEnqueueNDRangeKernel) X(clFlush) \
  X(clFinish)
// clang-format on

struct OpenclApi {
#define MLC_DECLARE(f) decltype(&::f) f = nullptr;
  MLC_OPENCL_FUNCTIONS(MLC_DECLARE)
#undef MLC_DECLARE
};

// Opens the loader once per process.
Result<const OpenclApi*> opencl_api();

std::string opencl_error_name(cl_int code);  // "CL_OUT_OF_RESOURCES (-5)"

}  // namespace mlc::runtime
