// The binary interface between a compiled library and the runtime that loads it.
//
// A library (lib.so) exports
//   * one C function per kernel, of type KernelFn;
//   * `mlc_artifact_json` (bytes) and `mlc_artifact_json_size` (uint64_t): the Artifact as JSON (artifact/artifact.h).
// kAbiVersion changes whenever either changes meaning; a library of another version is refused when it is loaded.
#pragma once

#include <cstdint>

namespace mlc::artifact {

inline constexpr int kAbiVersion = 3;
inline constexpr const char* kJsonSymbol = "mlc_artifact_json";
inline constexpr const char* kJsonSizeSymbol = "mlc_artifact_json_size";

// buffers: the kernel's buffers in parameter order, each aligned to 64 bytes, readable and writable up to its capacity.
// sizes: the kernel's i64 size parameters in order. Called once per worker, workers 0 … num_workers-1 concurrently; a
// kernel partitions its parallel loop statically and touches nothing but its buffers. No imported symbols, no state.
extern "C" typedef void (*KernelFn)(void* const* buffers, const int64_t* sizes, int32_t worker, int32_t num_workers);

}  // namespace mlc::artifact
