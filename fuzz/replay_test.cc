// The inputs of fuzz/corpus again, as they are and cut off at each of some places.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/targets.h"
#include "tests/support/source_dir.h"

namespace mlc::fuzz {
namespace {

std::vector<std::string> corpus(const std::string& target) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(testing::source_file("fuzz/corpus/" + target))) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> out;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return out;
}

class Replay : public ::testing::TestWithParam<Target> {};

TEST_P(Replay, Corpus) {
  const std::vector<std::string> inputs = corpus(GetParam().name);
  EXPECT_GE(inputs.size(), 5u);
  for (const std::string& input : inputs) {
    GetParam().run(input);
    for (size_t part = 1; part < 4; ++part) GetParam().run(std::string_view(input).substr(0, input.size() * part / 4));
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(targets()),
                         [](const ::testing::TestParamInfo<Target>& each) { return each.param.name; });

}  // namespace
}  // namespace mlc::fuzz
