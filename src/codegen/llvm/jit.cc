#include "codegen/llvm/jit.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "codegen/llvm/link.h"

namespace mlc::codegen {

Result<JitLibrary> JitLibrary::compile(const ir::Module& lowered, const target::Target& target,
                                       const EmitOptions& options) {
  MLC_TRY(const std::string object, emit_object(lowered, target, options));
  MLC_TRY(const std::string library, link_shared_bytes({object}));
  return load(library);
}

Result<JitLibrary> JitLibrary::load(const std::string& bytes) {
  const int fd = ::memfd_create("mlc-jit", MFD_CLOEXEC);
  if (fd < 0) return error(ErrorCode::kIo, "cannot create a file in memory: {}", std::strerror(errno));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n <= 0) {
      const int failed = errno;
      ::close(fd);
      return error(ErrorCode::kIo, "cannot write a file in memory: {}", std::strerror(failed));
    }
    done += static_cast<size_t>(n);
  }
  // The descriptor stays open as long as the library: the loader knows libraries by their path, and the next file in
  // memory must not get the same one.
  void* handle = ::dlopen(fmt::format("/proc/self/fd/{}", fd).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const std::string why = ::dlerror();
    ::close(fd);
    return error(ErrorCode::kUnsupported, "cannot load the compiled library: {}", why);
  }
  return JitLibrary(std::shared_ptr<void>(handle, [fd](void* h) {
    ::dlclose(h);
    ::close(fd);
  }));
}

void* JitLibrary::symbol(const std::string& name) const { return ::dlsym(handle_.get(), name.c_str()); }

artifact::KernelFn JitLibrary::kernel(const std::string& name) const {
  return reinterpret_cast<artifact::KernelFn>(symbol(name));
}

}  // namespace mlc::codegen
