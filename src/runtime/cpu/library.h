// Loading a shared library: checked before the dynamic linker sees it, through memory where its place forbids it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace mlc::runtime {

// How the names of libraries end on this system.
#ifdef _WIN32
inline constexpr const char* kLibrarySuffix = ".dll";
#else
inline constexpr const char* kLibrarySuffix = ".so";
#endif

// A handle for find_symbol; closed with its last owner.
Result<std::shared_ptr<void>> open_library(const std::string& path);
// A library that the system finds by its name, for the life of the process. Null: there is none. Its symbols stay among
// themselves: drivers of GPUs bring a compiler of their own (PoCL: another LLVM than ours).
void* open_system_library(const char* name);
// Null: the library exports no such name.
void* find_symbol(void* library, const char* name);

// The same, but always from a copy in memory (memfd): what open_library does on a noexec file system. Not on Windows,
// which has no such files.
Result<std::shared_ptr<void>> open_library_from_memory(const std::string& path);

}  // namespace mlc::runtime
