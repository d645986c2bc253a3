// Loading a shared library: checked before the dynamic linker sees it, through memory where its place forbids it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace mlc::runtime {

// A handle for dlsym; closed with its last owner.
Result<std::shared_ptr<void>> open_library(const std::string& path);

// The same, but always from a copy in memory (memfd): what open_library does on a noexec file system.
Result<std::shared_ptr<void>> open_library_from_memory(const std::string& path);

}  // namespace mlc::runtime
