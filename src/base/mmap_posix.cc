#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/mmap.h"

namespace mlc {

Result<std::shared_ptr<MappedFile>> MappedFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return error(ErrorCode::kNotFound, "{}: no such file", path);
    return error(ErrorCode::kIo, "{}: cannot open: {}", path, std::strerror(errno));
  }
  struct stat st;
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    ::close(fd);
    return error(ErrorCode::kIo, "{}: not a regular file", path);
  }
  const auto size = static_cast<size_t>(st.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      const int code = errno;
      ::close(fd);
      return error(ErrorCode::kIo, "{}: cannot map {} bytes into memory: {}", path, size, std::strerror(code));
    }
  }
  ::close(fd);
  return std::shared_ptr<MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::advise(Advice advice, size_t offset, size_t length) const {
  if (data_ == nullptr || offset >= size_) return;
  if (length > size_ - offset) length = size_ - offset;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  size_t begin = offset;
  size_t end = offset + length;
  int how = MADV_WILLNEED;
  if (advice == Advice::kDontNeed) {
    // Neighbours on the first and last page may still be in use.
    begin = (begin + page - 1) / page * page;
    end = end == size_ ? end : end / page * page;
    how = MADV_DONTNEED;
  } else {
    begin = begin / page * page;
    how = advice == Advice::kSequential ? MADV_SEQUENTIAL : MADV_WILLNEED;
  }
  if (begin < end) ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, how);
}

Result<void> MappedFile::lock_in_memory() const {
  if (data_ == nullptr || ::mlock(data_, size_) == 0) return {};
  return error(ErrorCode::kIo, "{}: cannot lock {} bytes in memory: {}; raise the limit (ulimit -l) or drop --mlock",
               path_, size_, std::strerror(errno));
}

Result<void> MappedOutput::map() {
  if (const int code = ::posix_fallocate(fd_, 0, static_cast<off_t>(size_)); code != 0) {
    return error(ErrorCode::kIo, "{}: cannot reserve {} MiB: {}", path_, size_ >> 20, std::strerror(code));
  }
  void* data = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (data == MAP_FAILED) return error(ErrorCode::kIo, "{}: cannot map it: {}", path_, std::strerror(errno));
  data_ = static_cast<std::byte*>(data);
  return {};
}

void MappedOutput::unmap() {
  if (data_ != nullptr) ::munmap(std::exchange(data_, nullptr), size_);
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace mlc
