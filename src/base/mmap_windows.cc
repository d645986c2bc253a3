#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/mmap.h"
#include "base/os.h"
#include "base/os_windows.h"

namespace mlc {
namespace {

// Null and errno when it cannot be. The view keeps the mapping alive.
void* map_view(HANDLE file, size_t size, DWORD protection, DWORD access) {
  const auto bytes = static_cast<uint64_t>(size);
  HANDLE mapping = ::CreateFileMappingA(file, nullptr, protection, static_cast<DWORD>(bytes >> 32),
                                        static_cast<DWORD>(bytes), nullptr);
  void* data = mapping == nullptr ? nullptr : ::MapViewOfFile(mapping, access, 0, 0, size);
  if (data == nullptr) os::set_errno_from_windows();
  if (mapping != nullptr) ::CloseHandle(mapping);
  return data;
}

}  // namespace

Result<std::shared_ptr<MappedFile>> MappedFile::open(const std::string& path) {
  const DWORD attributes = ::GetFileAttributesA(path.c_str());
  if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
    return error(ErrorCode::kIo, "{}: not a regular file", path);
  }
  // Others may rename or remove it meanwhile, as on other systems.
  HANDLE file = ::CreateFileA(path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) {
    os::set_errno_from_windows();
    if (errno == ENOENT) return error(ErrorCode::kNotFound, "{}: no such file", path);
    return error(ErrorCode::kIo, "{}: cannot open: {}", path, std::strerror(errno));
  }
  LARGE_INTEGER size{};
  if (::GetFileType(file) != FILE_TYPE_DISK || !::GetFileSizeEx(file, &size)) {
    ::CloseHandle(file);
    return error(ErrorCode::kIo, "{}: not a regular file", path);
  }
  const auto bytes = static_cast<size_t>(size.QuadPart);
  void* data = bytes > 0 ? map_view(file, bytes, PAGE_READONLY, FILE_MAP_READ) : nullptr;
  const int code = errno;
  ::CloseHandle(file);
  if (bytes > 0 && data == nullptr) {
    return error(ErrorCode::kIo, "{}: cannot map {} bytes into memory: {}", path, bytes, std::strerror(code));
  }
  return std::shared_ptr<MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data), bytes));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::UnmapViewOfFile(data_);
}

void MappedFile::advise(Advice advice, size_t offset, size_t length) const {
  if (data_ == nullptr || offset >= size_ || advice != Advice::kWillNeed) return;
  if (length > size_ - offset) length = size_ - offset;
  WIN32_MEMORY_RANGE_ENTRY range{const_cast<std::byte*>(data_) + offset, length};
  ::PrefetchVirtualMemory(::GetCurrentProcess(), 1, &range, 0);
}

Result<void> MappedFile::lock_in_memory() const {
  if (data_ == nullptr || os::lock_pages(data_, size_)) return {};
  return error(ErrorCode::kIo,
               "{}: cannot lock {} bytes in memory: {}; give the process a larger working set or drop "
               "--mlock",
               path_, size_, std::strerror(errno));
}

Result<void> MappedOutput::map() {
  // A mapping larger than the file makes the file that large, or fails when the disk is full.
  void* data = map_view(reinterpret_cast<HANDLE>(::_get_osfhandle(fd_)), size_, PAGE_READWRITE, FILE_MAP_WRITE);
  if (data == nullptr) {
    return error(ErrorCode::kIo, "{}: cannot reserve {} MiB: {}", path_, size_ >> 20, std::strerror(errno));
  }
  data_ = static_cast<std::byte*>(data);
  return {};
}

void MappedOutput::unmap() {
  if (data_ != nullptr) ::UnmapViewOfFile(std::exchange(data_, nullptr));
  if (fd_ >= 0) ::_close(std::exchange(fd_, -1));
}

}  // namespace mlc
