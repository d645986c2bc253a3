// Files: read whole, write so that a reader never sees half a file, temporary directories, locks between processes.
//
//   MLC_TRY(std::string text, read_file("config.json"));
//   MLC_TRY_VOID(write_file_atomic("out/config.json", text));        // temp + fsync + rename; nothing left on failure
//   MLC_TRY(TempDir tmp, TempDir::create_beside("out"));              // removed with everything in it when it dies
//   MLC_TRY(FileLock lock, FileLock::acquire("cache/.lock"));         // waits; released when it dies
//
// Failures are kIo (kNotFound for a missing file); a full disk says so and names the path.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mlc {

bool path_exists(const std::string& path);
bool is_directory(const std::string& path);
Result<uint64_t> file_size(const std::string& path);
Result<void> make_directories(const std::string& path);
Result<std::string> read_file(const std::string& path);

// "dir/a" out of ("dir", "a"); an absolute second part wins.
std::string join_path(std::string_view dir, std::string_view name);

// Writes bytes one after the other; the data is on disk when close() has succeeded. A Writer that dies without close()
// removes its file, unless it continues one.
class FileWriter {
 public:
  static Result<FileWriter> create(const std::string& path);
  // Continues a file that may be there, and keeps what is written even without close().
  static Result<FileWriter> continue_file(const std::string& path);
  FileWriter(FileWriter&&) noexcept;
  FileWriter& operator=(FileWriter&&) noexcept;
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter();

  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text);
  Result<void> start_over();  // empties the file
  Result<void> close();
  uint64_t position() const { return position_; }
  const std::string& path() const { return path_; }

 private:
  FileWriter(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  uint64_t position_ = 0;
  bool keep_ = false;
  std::string path_;
};

// Writes a temporary file in the same directory, syncs it and renames it over `path`.
Result<void> write_file_atomic(const std::string& path, std::string_view bytes);
Result<void> write_file_atomic(const std::string& path, std::span<const std::byte> bytes);

// Copies through write_file_atomic's temporary, so that the destination is whole or untouched.
Result<void> copy_file_atomic(const std::string& from, const std::string& to);

Result<void> rename_path(const std::string& from, const std::string& to);
// Makes a rename in this directory durable.
Result<void> sync_directory(const std::string& dir);
// Removes a file or a whole tree; missing is fine.
Result<void> remove_all(const std::string& path);

// A fresh directory that is removed, with everything in it, when the object dies.
class TempDir {
 public:
  // In $TMPDIR, else /tmp; %TEMP% on Windows.
  static Result<TempDir> create();
  // Next to `path` (same file system, so that its contents can be renamed into place): "<path>.tmp-XXXXXX".
  static Result<TempDir> create_beside(const std::string& path);
  TempDir(TempDir&&) noexcept;
  TempDir& operator=(TempDir&&) noexcept;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return join_path(path_, name); }
  // Keeps the directory: the caller owns it from now on.
  std::string release();

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// An exclusive lock on a file (flock), which is created if it is not there and stays afterwards.
class FileLock {
 public:
  static Result<FileLock> acquire(const std::string& path);                     // waits
  static Result<std::optional<FileLock>> try_acquire(const std::string& path);  // nullopt: someone else has it
  FileLock(FileLock&&) noexcept;
  FileLock& operator=(FileLock&&) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace mlc
