// Objects to a shared library, in process, by LLD. Never runs another program.
//
//   MLC_TRY_VOID(link_shared({object_bytes}, "/tmp/lib.so"));
//
// Objects in ELF make a shared library, objects in COFF a DLL, which exports what the objects mark.
//
// LLD keeps global state: calls are serialized by a mutex. Temporary files stand beside the output and are removed; the
// output appears complete or not at all (rename). The bytes depend on the objects only.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::codegen {

// Writes the library to out_path. Undefined symbols and unreadable objects are errors with LLD's own words.
Result<void> link_shared(const std::vector<std::string>& objects, const std::string& out_path);

// The library as bytes (for a memfd or a cache of one's own).
Result<std::string> link_shared_bytes(const std::vector<std::string>& objects);

}  // namespace mlc::codegen
