// How the typing rules of the builders are reported (private to ir/). The rules stand once, in the builders of expr.cc
// and stmt.cc. Code that builds an ill-typed node has a bug, so it aborts; the parser and the verifier work on what
// others wrote, so for the lifetime of a Guard the builders throw Fault on this thread, which the two catch and turn
// into errors.
#pragma once

#include <string>

#include "base/check.h"

namespace mlc::ir::typing {

struct Fault {
  std::string message;
};

class Guard {
 public:
  Guard();
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  bool before_;
};

[[noreturn]] void fail(const char* condition, const char* file, int line, const std::string& message);

}  // namespace mlc::ir::typing

#define MLC_TYPE_CHECK(cond, ...)                                                                       \
  do {                                                                                                  \
    if (!(cond)) ::mlc::ir::typing::fail(#cond, __FILE__, __LINE__, ::mlc::check_message(__VA_ARGS__)); \
  } while (0)
