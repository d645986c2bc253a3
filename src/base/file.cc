#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/os.h"

namespace mlc {
namespace fs = std::filesystem;
namespace {

bool disk_is_full(int code) {
#ifdef EDQUOT
  if (code == EDQUOT) return true;
#endif
  return code == ENOSPC;
}

Error os_error(int code, const std::string& path, const char* doing) {
  if (code == ENOENT) return error(ErrorCode::kNotFound, "{}: no such file or directory", path);
  if (disk_is_full(code)) {
    return error(ErrorCode::kIo, "{}: the disk is full while {}; free some space or choose another directory", path,
                 doing);
  }
  return error(ErrorCode::kIo, "{}: {} failed: {}", path, doing, std::strerror(code));
}

std::string parent_of(const std::string& path) {
  auto parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Result<int> open_retry(const std::string& path, int flags, int mode, const char* doing) {
  int fd;
  do {
    fd = os::open_file(path, flags, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return os_error(errno, path, doing);
  return fd;
}

}  // namespace

bool path_exists(const std::string& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

bool is_directory(const std::string& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}

Result<uint64_t> file_size(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return os_error(errno, path, "looking at it");
  if (!S_ISREG(st.st_mode)) return error(ErrorCode::kIo, "{}: not a regular file", path);
  return static_cast<uint64_t>(st.st_size);
}

Result<void> make_directories(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return os_error(ec.value(), path, "creating the directory");
  if (!fs::is_directory(path, ec)) return error(ErrorCode::kIo, "{}: exists and is not a directory", path);
  return {};
}

Result<std::string> read_file(const std::string& path) {
  MLC_TRY(int fd, open_retry(path, O_RDONLY, 0, "opening"));
  std::string text;
  struct stat st;
  if (::fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
    ::close(fd);
    return error(ErrorCode::kIo, "{}: is a directory; expected a file", path);
  }
  if (st.st_size > 0) text.reserve(static_cast<size_t>(st.st_size) + 1);
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error e = os_error(errno, path, "reading");
      ::close(fd);
      return e;
    }
    if (n == 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  return text;
}

std::string join_path(std::string_view dir, std::string_view name) {
  if (dir.empty() || fs::path(name).has_root_directory()) return std::string(name);
  std::string path(dir);
  if (path.back() != '/') path += '/';
  return path.append(name);
}

Result<FileWriter> FileWriter::create(const std::string& path) {
  MLC_TRY(int fd, open_retry(path, O_WRONLY | O_CREAT | O_TRUNC, 0666, "creating"));
  return FileWriter(fd, path);
}

Result<FileWriter> FileWriter::continue_file(const std::string& path) {
  MLC_TRY(int fd, open_retry(path, O_WRONLY | O_CREAT | O_APPEND, 0666, "opening"));
  FileWriter writer(fd, path);
  writer.keep_ = true;
  MLC_TRY(writer.position_, file_size(path));
  return writer;
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      position_(other.position_),
      keep_(other.keep_),
      path_(std::move(other.path_)) {}

FileWriter& FileWriter::operator=(FileWriter&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(position_, other.position_);
  std::swap(keep_, other.keep_);
  std::swap(path_, other.path_);
  return *this;
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!keep_) ::unlink(path_.c_str());
}

Result<void> FileWriter::write(std::span<const std::byte> bytes) {
  MLC_CHECK(fd_ >= 0, "write to closed file {}", path_);
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(errno, path_, "writing");
    bytes = bytes.subspan(static_cast<size_t>(n));
    position_ += static_cast<uint64_t>(n);
  }
  return {};
}

Result<void> FileWriter::write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

Result<void> FileWriter::start_over() {
  MLC_CHECK(fd_ >= 0, "start_over of closed file {}", path_);
  if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) return os_error(errno, path_, "emptying");
  position_ = 0;
  return {};
}

Result<void> FileWriter::close() {
  MLC_CHECK(fd_ >= 0, "close of closed file {}", path_);
  // Some file systems report a full disk only here. EINVAL and EROFS: the file is something that cannot be synced.
  int code = 0;
  if (os::sync_file(fd_) != 0 && errno != EINVAL && errno != EROFS) code = errno;
  if (::close(std::exchange(fd_, -1)) != 0 && code == 0 && errno != EINTR) code = errno;
  if (code != 0) {
    if (!keep_) ::unlink(path_.c_str());
    return os_error(code, path_, "writing");
  }
  return {};
}

namespace {

// A sibling of `path` that nobody else uses.
Result<FileWriter> create_temporary(const std::string& path, std::string* name) {
  std::string pattern = path + ".tmp-XXXXXX";
  const int fd = os::make_temp_file(pattern);
  if (fd < 0) return os_error(errno, path, "creating");
  ::close(fd);
  *name = pattern;
  return FileWriter::create(pattern);
}

Result<void> finish_temporary(FileWriter& writer, const std::string& temporary, const std::string& path) {
  MLC_TRY_VOID(writer.close());
  if (auto renamed = rename_path(temporary, path); !renamed) {
    ::unlink(temporary.c_str());
    return renamed;
  }
  return sync_directory(parent_of(path));
}

}  // namespace

Result<void> write_file_atomic(const std::string& path, std::span<const std::byte> bytes) {
  std::string temporary;
  MLC_TRY(FileWriter writer, create_temporary(path, &temporary));
  MLC_TRY_VOID(writer.write(bytes));
  return finish_temporary(writer, temporary, path);
}

Result<void> write_file_atomic(const std::string& path, std::string_view bytes) {
  return write_file_atomic(path, std::as_bytes(std::span(bytes)));
}

Result<void> copy_file_atomic(const std::string& from, const std::string& to) {
  MLC_TRY(int fd, open_retry(from, O_RDONLY, 0, "opening"));
  std::string temporary;
  auto writer = create_temporary(to, &temporary);
  if (!writer) {
    ::close(fd);
    return std::move(writer).error();
  }
  std::vector<std::byte> buffer(1 << 20);
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    Result<void> step;
    if (n < 0) step = os_error(errno, from, "reading");
    if (n > 0) step = writer->write(std::span(buffer).first(static_cast<size_t>(n)));
    if (!step) {
      ::close(fd);
      return step;
    }
    if (n == 0) break;
  }
  ::close(fd);
  return finish_temporary(*writer, temporary, to);
}

Result<void> rename_path(const std::string& from, const std::string& to) {
  if (os::rename_over(from, to) != 0) return os_error(errno, to, "renaming into place");
  return {};
}

Result<void> sync_directory(const std::string& dir) {
  if (!is_directory(dir)) return os_error(ENOENT, dir, "opening");
  os::sync_directory(dir);
  return {};
}

Result<void> remove_all(const std::string& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec) return os_error(ec.value(), path, "removing");
  return {};
}

namespace {

Result<std::string> make_temp_dir(std::string pattern, bool open_to_others) {
  if (os::make_temp_dir(pattern, open_to_others) != 0)
    return os_error(errno, pattern, "creating a temporary directory");
  return pattern;
}

}  // namespace

Result<TempDir> TempDir::create() {
  MLC_TRY(std::string path, make_temp_dir(join_path(os::temp_root(), "mlc-XXXXXX"), false));
  return TempDir(path);
}

Result<TempDir> TempDir::create_beside(const std::string& path) {
  std::string base = path;
  while (base.size() > 1 && base.back() == '/') base.pop_back();
  MLC_TRY(std::string made, make_temp_dir(base + ".tmp-XXXXXX", true));
  return TempDir(made);
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TempDir::~TempDir() {
  std::error_code ec;
  if (!path_.empty()) fs::remove_all(path_, ec);
}

std::string TempDir::release() { return std::exchange(path_, {}); }

Result<std::optional<FileLock>> FileLock::try_acquire(const std::string& path) {
  MLC_TRY(int fd, open_retry(path, O_RDWR | O_CREAT, 0666, "opening the lock"));
  FileLock lock(fd);
  if (os::lock_file(fd, false) == 0) return std::optional<FileLock>(std::move(lock));
  if (errno == EWOULDBLOCK) return std::optional<FileLock>();
  return os_error(errno, path, "locking");
}

Result<FileLock> FileLock::acquire(const std::string& path) {
  MLC_TRY(int fd, open_retry(path, O_RDWR | O_CREAT, 0666, "opening the lock"));
  FileLock lock(fd);
  while (os::lock_file(fd, true) != 0) {
    if (errno != EINTR) return os_error(errno, path, "locking");
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace mlc
