#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace mlc {

void check_failed(const char* condition, const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "internal error: %s:%d: check failed: %s%s%s\nThis is a bug in mlc_llm; please report it.\n",
               file, line, condition, message.empty() ? "" : ": ", message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace mlc
