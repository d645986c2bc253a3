// Where the tests' files lie. Not a macro on the command line: the compiler's cache then serves a checkout anywhere.
//
//   read_file(testing::source_file("models/demo/tokenizer.json"))
//   testing::data_file("tokenizers/qwen2/tokenizer.json")        // may not exist: such tests skip
#pragma once

#include <cstdlib>
#include <string>

namespace mlc::testing {

// The repository's root; CMake generates its definition (cmake/mlc_library.cmake).
extern const char* const kSourceDir;

inline std::string source_file(const std::string& name) { return std::string(kSourceDir) + "/" + name; }

// In $MLC_TEST_DATA, else in shared/data beside the repository.
inline std::string data_file(const std::string& name) {
  const char* root = std::getenv("MLC_TEST_DATA");
  return (root != nullptr && *root != '\0' ? std::string(root) : source_file("../shared/data")) + "/" + name;
}

}  // namespace mlc::testing
