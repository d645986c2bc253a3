#include <cstdio>
#include <iostream>

#include "tools/line_reader.h"

namespace mlc::tools {

struct LineReader::Impl {};

LineReader::LineReader() = default;
LineReader::~LineReader() = default;

const char* LineReader::help() { return ""; }

std::optional<std::string> LineReader::read() {
  std::fputs(">>> ", stdout);
  std::fflush(stdout);
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
  return line;
}

}  // namespace mlc::tools
