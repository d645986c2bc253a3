// Lowered IR to a function pointer in this process: for the tuner, for tests, for experiments.
//
//   MLC_TRY(auto lib, JitLibrary::compile(lowered_module, target));
//   artifact::KernelFn kernel = lib.kernel("matmul");
//   void* buffers[] = {a, b, c};  int64_t sizes[] = {m};
//   kernel(buffers, sizes, 0, 1);
//
// The same way as a library on disk: emit_object, link_shared, dlopen; nothing is left behind.
#pragma once

#include <memory>
#include <string>

#include "artifact/abi.h"
#include "base/result.h"
#include "codegen/llvm/emit.h"

namespace mlc::codegen {

class JitLibrary {
 public:
  static Result<JitLibrary> compile(const ir::Module& lowered, const target::Target& target,
                                    const EmitOptions& options = {});
  // Loads a linked library from memory.
  static Result<JitLibrary> load(const std::string& library_bytes);

  // Null: not there.
  artifact::KernelFn kernel(const std::string& name) const;
  void* symbol(const std::string& name) const;

 private:
  explicit JitLibrary(std::shared_ptr<void> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<void> handle_;  // unloads with the last copy; function pointers die with it
};

}  // namespace mlc::codegen
