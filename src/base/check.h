// Checks for our own bugs: a failed MLC_CHECK prints the condition, the place and the values, and aborts.
//
//   MLC_CHECK(i < n, "index {} past the end {}", i, n);
//
// MLC_DCHECK is the same in development builds and nothing in release builds. User errors are Result (base/result.h).
#pragma once

#include <fmt/format.h>

#include <string>

namespace mlc {

[[noreturn]] void check_failed(const char* condition, const char* file, int line, const std::string& message);

inline std::string check_message() { return {}; }
template <typename... Args>
std::string check_message(fmt::format_string<Args...> f, Args&&... args) {
  return fmt::format(f, std::forward<Args>(args)...);
}

}  // namespace mlc

#define MLC_CHECK(cond, ...)                                                                        \
  do {                                                                                              \
    if (!(cond)) ::mlc::check_failed(#cond, __FILE__, __LINE__, ::mlc::check_message(__VA_ARGS__)); \
  } while (0)
#define MLC_UNREACHABLE(...) ::mlc::check_failed("unreachable", __FILE__, __LINE__, ::mlc::check_message(__VA_ARGS__))

#ifdef MLC_DCHECK_ENABLED
#define MLC_DCHECK(...) MLC_CHECK(__VA_ARGS__)
#else
#define MLC_DCHECK(...) \
  do {                  \
  } while (0)
#endif
