// Where the tests of this folder find their inputs.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "../tests/support/source_dir.h"
#include "base/file.h"
#include "text/tokenizer.h"

namespace mlc::text {

inline std::string golden_path(const std::string& name) { return testing::source_file("tests/goldens/" + name); }

inline std::vector<std::string> split_on(const std::string& text, const std::string& mark) {
  std::vector<std::string> out;
  size_t start = 0;
  for (size_t at; (at = text.find(mark, start)) != std::string::npos; start = at + mark.size()) {
    out.push_back(text.substr(start, at - start));
  }
  out.push_back(text.substr(start));
  return out;
}

// The 47 texts that all vocabularies are tested with.
inline std::vector<std::string> golden_texts() {
  auto text = read_file(testing::data_file("tokenizers/goldens/ggml-vocab-llama-spm.gguf.inp"));
  return text ? split_on(*text, "\n__ggml_vocab_test__\n") : std::vector<std::string>{};
}

#define MLC_SKIP_WITHOUT(name)                                                                                    \
  if (!path_exists(testing::data_file(name))) {                                                                   \
    GTEST_SKIP() << testing::data_file(name) << " is not there; MLC_TEST_DATA names the folder of the test data"; \
  }

#define MLC_ASSERT_OK(result) ASSERT_TRUE((result).has_value()) << (result).error().message

}  // namespace mlc::text
