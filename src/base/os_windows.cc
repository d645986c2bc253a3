#include <fcntl.h>
#include <fmt/format.h>
#include <io.h>
#include <sys/stat.h>
#include <windows.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "base/os.h"
#include "base/os_windows.h"

namespace mlc::os {
namespace {

// Fills in the X's of a pattern until `make` succeeds or fails for another reason than that the name is taken.
template <typename Make>
int with_fresh_name(std::string& pattern, const Make& make) {
  static const char kLetters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    for (size_t i = pattern.size() - 6; i < pattern.size(); ++i) pattern[i] = kLetters[random() % 36];
    const int made = make(pattern);
    if (made >= 0 || errno != EEXIST) return made;
  }
  return -1;
}

}  // namespace

int set_errno_from_windows() {
  switch (::GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      errno = ENOENT;
      break;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
      errno = EACCES;
      break;
    case ERROR_LOCK_VIOLATION:
      errno = EWOULDBLOCK;
      break;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      errno = EEXIST;
      break;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      errno = ENOSPC;
      break;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
      errno = ENOMEM;
      break;
    default:
      errno = EIO;
  }
  return -1;
}

int open_file(const std::string& path, int flags, int mode) {
  // The C library only knows the bits of the owner here.
  return ::_open(path.c_str(), flags | _O_BINARY | _O_NOINHERIT, mode & (_S_IREAD | _S_IWRITE));
}

int sync_file(int fd) { return ::_commit(fd); }

void sync_directory(const std::string&) {}

int rename_over(const std::string& from, const std::string& to) {
  if (::MoveFileExA(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING)) return 0;
  return set_errno_from_windows();
}

int lock_file(int fd, bool wait) {
  OVERLAPPED whole{};
  const DWORD flags = LOCKFILE_EXCLUSIVE_LOCK | (wait ? 0 : LOCKFILE_FAIL_IMMEDIATELY);
  const auto file = reinterpret_cast<HANDLE>(::_get_osfhandle(fd));
  if (::LockFileEx(file, flags, 0, MAXDWORD, MAXDWORD, &whole)) return 0;
  return set_errno_from_windows();
}

int make_temp_file(std::string& pattern) {
  return with_fresh_name(pattern, [](const std::string& name) {
    return open_file(name, _O_RDWR | _O_CREAT | _O_EXCL, _S_IREAD | _S_IWRITE);
  });
}

int make_temp_dir(std::string& pattern, bool) {
  return with_fresh_name(pattern, [](const std::string& name) {
    return ::CreateDirectoryA(name.c_str(), nullptr) ? 0 : set_errno_from_windows();
  });
}

std::string temp_root() {
  char buffer[MAX_PATH + 1];
  const DWORD length = ::GetTempPathA(sizeof buffer, buffer);
  std::string root(buffer, length < sizeof buffer ? length : 0);
  while (!root.empty() && (root.back() == '\\' || root.back() == '/')) root.pop_back();
  return root.empty() ? "." : root;
}

std::string user_cache_root() {
  const char* root = std::getenv("LOCALAPPDATA");
  return root != nullptr && *root != '\0' ? root : temp_root();
}

std::string file_state(const std::string& path) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) return {};
  const auto changed = std::filesystem::last_write_time(path, ec).time_since_epoch().count();
  return fmt::format("{} {}", std::filesystem::file_size(path, ec), changed);
}

void* allocate_pages(size_t bytes) {
  void* memory = ::VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (memory == nullptr) set_errno_from_windows();
  return memory;
}

void free_pages(void* memory, size_t) { ::VirtualFree(memory, 0, MEM_RELEASE); }

bool lock_pages(const void* memory, size_t bytes) {
  if (::VirtualLock(const_cast<void*>(memory), bytes)) return true;
  set_errno_from_windows();
  return false;
}

Memory physical_memory() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  if (!::GlobalMemoryStatusEx(&status)) return {};
  return {static_cast<long long>(status.ullTotalPhys), static_cast<long long>(status.ullAvailPhys)};
}

// libstdc++ has no system call for std::atomic::wait here, and what it has in its place loses wake-ups (GCC 12).
void wait_while(const std::atomic<uint32_t>& word, uint32_t old) {
  static_assert(sizeof word == sizeof old);
  ::WaitOnAddress(const_cast<std::atomic<uint32_t>*>(&word), &old, sizeof old, INFINITE);
}

void wake_all(std::atomic<uint32_t>& word) { ::WakeByAddressAll(&word); }

void prepare_terminal() {
  ::SetConsoleOutputCP(CP_UTF8);
  ::SetConsoleCP(CP_UTF8);
  for (const DWORD stream : {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE}) {
    HANDLE console = ::GetStdHandle(stream);
    DWORD mode = 0;
    if (::GetConsoleMode(console, &mode)) ::SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
  }
}

}  // namespace mlc::os
