// Lines that a person types, with editing and a history where there is a library for it (libedit; on Windows the
// console itself edits).
//
//   LineReader reader;
//   while (auto line = reader.read()) answer(*line);
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace mlc::tools {

class LineReader {
 public:
  LineReader();
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // What else can be typed, as lines of /help.
  static const char* help();
  // Without the line's end; nullopt at the end of input.
  std::optional<std::string> read();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlc::tools
