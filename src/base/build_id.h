// Which build of this program is running: part of every compile-cache key, so that a new build never trusts the code
// that an older one made.
#pragma once

#include <string>

namespace mlc {

// The hexadecimal build id that the linker put into the executable or shared library that holds this code.
const std::string& build_id();
// "0.1.0"
const char* version();

}  // namespace mlc
