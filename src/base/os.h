// What the program asks of the operating system beyond the C++ library, with one meaning everywhere: os_posix.cc and
// os_windows.cc. For base/ and what wraps memory or files; everybody else uses file.h, mmap.h and runtime/device.h.
//
// Paths are UTF-8 (on Windows by the program's manifest). Calls that can fail set errno, as POSIX does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace mlc::os {

// open(2), as bytes and not handed to child processes.
int open_file(const std::string& path, int flags, int mode);
// fsync(2).
int sync_file(int fd);
// Makes renames in a directory durable, where the system lets one ask for it.
void sync_directory(const std::string& dir);
// rename(2): replaces what is there.
int rename_over(const std::string& from, const std::string& to);
// flock(2), exclusive; without `wait` EWOULDBLOCK if somebody else has it.
int lock_file(int fd, bool wait);
// mkstemp(3) and mkdtemp(3): "XXXXXX" at the end of the pattern becomes a name that nobody has. With the permissions
// that the umask allows.
int make_temp_file(std::string& pattern);
int make_temp_dir(std::string& pattern, bool open_to_others);
std::string temp_root();
// Where a user's caches go: $XDG_CACHE_HOME, else ~/.cache, else /var/tmp; %LOCALAPPDATA% on Windows.
std::string user_cache_root();
// Size, identity and time of the last change of a regular file as text: the same text, the same content. Empty: none.
std::string file_state(const std::string& path);

// Zeroed memory straight from the system, committed when first touched, in huge pages where they are to be had. Null:
// there is none.
void* allocate_pages(size_t bytes);
void free_pages(void* memory, size_t bytes);
// Keeps pages from being swapped out.
bool lock_pages(const void* memory, size_t bytes);

// Both 0 where the system does not tell.
struct Memory {
  long long total_bytes = 0, available_bytes = 0;
};
Memory physical_memory();

// Parks the thread while the word holds `old`, until wake_all(); it may return earlier.
void wait_while(const std::atomic<uint32_t>& word, uint32_t old);
void wake_all(std::atomic<uint32_t>& word);

// UTF-8 and escape sequences on the terminal, where a program must ask for them.
void prepare_terminal();

}  // namespace mlc::os
