// Environment variables in tests.
#pragma once

#include <cstdlib>
#include <string>

namespace mlc {

// Empty: the variable goes away.
inline void set_env(const std::string& name, const std::string& value) {
#ifdef _WIN32
  ::_putenv_s(name.c_str(), value.c_str());
#else
  if (value.empty()) {
    ::unsetenv(name.c_str());
  } else {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
#endif
}

}  // namespace mlc
