#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/os.h"

namespace mlc::os {
namespace {

// The umask can only be read by setting it, so that is done once.
mode_t process_umask() {
  static const mode_t mask = [] {
    const mode_t current = ::umask(0);
    ::umask(current);
    return current;
  }();
  return mask;
}

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

int open_file(const std::string& path, int flags, int mode) {
  return ::open(path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(mode));
}

int sync_file(int fd) { return ::fsync(fd); }

void sync_directory(const std::string& dir) {
  const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);  // best effort: not every file system can
  ::close(fd);
}

int rename_over(const std::string& from, const std::string& to) { return std::rename(from.c_str(), to.c_str()); }

int lock_file(int fd, bool wait) { return ::flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB); }

int make_temp_file(std::string& pattern) {
  const int fd = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (fd >= 0) ::fchmod(fd, 0666 & ~process_umask());
  return fd;
}

int make_temp_dir(std::string& pattern, bool open_to_others) {
  if (::mkdtemp(pattern.data()) == nullptr) return -1;
  if (open_to_others) ::chmod(pattern.c_str(), 0777 & ~process_umask());  // mkdtemp makes it private
  return 0;
}

std::string temp_root() {
  const std::string root = env("TMPDIR");
  return root.empty() ? "/tmp" : root;
}

std::string user_cache_root() {
  if (std::string xdg = env("XDG_CACHE_HOME"); !xdg.empty()) return xdg;
  if (std::string home = env("HOME"); !home.empty()) return home + "/.cache";
  return "/var/tmp";
}

std::string file_state(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) return {};
#ifdef __APPLE__
  const timespec changed = st.st_mtimespec;
#else
  const timespec changed = st.st_mtim;
#endif
  return fmt::format("{} {} {}.{}", st.st_size, st.st_ino, changed.tv_sec, changed.tv_nsec);
}

void* allocate_pages(size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  if (bytes >= (size_t{4} << 20)) ::madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void free_pages(void* memory, size_t bytes) { ::munmap(memory, bytes); }

bool lock_pages(const void* memory, size_t bytes) { return ::mlock(memory, bytes) == 0; }

Memory physical_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || size <= 0) return {};
  const long long total = static_cast<long long>(pages) * size;
#ifdef _SC_AVPHYS_PAGES
  const long free_pages_now = ::sysconf(_SC_AVPHYS_PAGES);
  return {total, free_pages_now > 0 ? static_cast<long long>(free_pages_now) * size : total};
#else
  return {total, total};
#endif
}

void wait_while(const std::atomic<uint32_t>& word, uint32_t old) { word.wait(old, std::memory_order_acquire); }

void wake_all(std::atomic<uint32_t>& word) { word.notify_all(); }

void prepare_terminal() {}

}  // namespace mlc::os
