#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/log.h"
#include "base/mmap.h"
#include "runtime/cpu/library.h"

namespace mlc::runtime {
namespace {

constexpr int host_machine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#elif defined(__riscv)
  return EM_RISCV;
#else
  return EM_NONE;
#endif
}

std::string machine_name(int machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86_64";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "riscv64";
    default:
      return fmt::format("machine {}", machine);
  }
}

// The dynamic linker's own messages for these cases name neither what was found nor what to do; a truncated file can
// even crash it.
Result<void> check_elf(const std::string& path) {
  MLC_TRY(auto file, MappedFile::open(path));
  Elf64_Ehdr header;
  if (file->size() < sizeof header || std::memcmp(file->bytes().data(), ELFMAG, SELFMAG) != 0) {
    return error(ErrorCode::kCorrupt, "{}: not a shared library; `mlc_llm compile` makes one", path);
  }
  std::memcpy(&header, file->bytes().data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN) {
    return error(ErrorCode::kCorrupt, "{}: an ELF file, but not a 64-bit shared library", path);
  }
  if (host_machine() != EM_NONE && header.e_machine != host_machine()) {
    return error(ErrorCode::kUnsupported, "{}: compiled for {}, this machine is {}; compile the model here", path,
                 machine_name(header.e_machine), machine_name(host_machine()));
  }
  const uint64_t sections_end = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  const uint64_t segments_end = header.e_phoff + uint64_t{header.e_phnum} * header.e_phentsize;
  bool whole = sections_end <= file->size() && segments_end <= file->size() && header.e_phentsize == sizeof(Elf64_Phdr);
  for (int i = 0; whole && i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, file->bytes().data() + header.e_phoff + static_cast<size_t>(i) * sizeof segment,
                sizeof segment);
    if (segment.p_type == PT_LOAD) {
      whole = segment.p_offset <= file->size() && segment.p_filesz <= file->size() - segment.p_offset;
    }
  }
  if (!whole) return error(ErrorCode::kCorrupt, "{}: the library is truncated; compile the model again", path);
  return {};
}

bool mounted_noexec(const std::string& path) {
  struct statvfs info;
  return ::statvfs(path.c_str(), &info) == 0 && (info.f_flag & ST_NOEXEC) != 0;
}

Result<std::shared_ptr<void>> open_path(const std::string& path, const std::string& shown) {
  // dlopen searches the library path for names without a slash.
  const std::string name = path.find('/') == std::string::npos ? "./" + path : path;
  void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return error(ErrorCode::kCorrupt, "{}: cannot load the library: {}", shown, why ? why : "unknown error");
  }
  return std::shared_ptr<void>(handle, [](void* h) { ::dlclose(h); });
}

Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return error(ErrorCode::kIo, "{}: cannot copy the library into memory: {}", path, std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<void>> open_library_from_memory(const std::string& path) {
  MLC_TRY_VOID(check_elf(path));
  MLC_TRY(auto file, MappedFile::open(path));
  const int fd = ::memfd_create("mlc_llm_lib", MFD_CLOEXEC);
  if (fd < 0) return error(ErrorCode::kIo, "{}: cannot make a file in memory: {}", path, std::strerror(errno));
  auto copied = write_all(fd, file->bytes(), path);
  auto library = copied ? open_path(fmt::format("/proc/self/fd/{}", fd), path)
                        : Result<std::shared_ptr<void>>(std::move(copied).error());
  ::close(fd);
  return library;
}

Result<std::shared_ptr<void>> open_library(const std::string& path) {
  MLC_TRY_VOID(check_elf(path));
  if (mounted_noexec(path)) {
    log::debug("{} is on a file system mounted noexec; loading it through memory", path);
    return open_library_from_memory(path);
  }
  return open_path(path, path);
}

void* open_system_library(const char* name) { return ::dlopen(name, RTLD_NOW | RTLD_LOCAL); }

void* find_symbol(void* library, const char* name) { return ::dlsym(library, name); }

}  // namespace mlc::runtime
