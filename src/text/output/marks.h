// Marks in text that arrives character by character.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace mlc::text {

using Marks = std::vector<std::string_view>;

inline constexpr std::string_view kSpaces = " \t\r\n";
inline bool is_space(char c) { return kSpaces.find(c) != std::string_view::npos; }

inline bool is_one_of(std::string_view text, const Marks& marks) {
  return std::find(marks.begin(), marks.end(), text) != marks.end();
}
// Whether some mark begins with `text`.
inline bool begins_one_of(std::string_view text, const Marks& marks) {
  return std::any_of(marks.begin(), marks.end(), [text](std::string_view mark) { return mark.starts_with(text); });
}
// The length of the longest end of `text` that some mark begins with, without being whole.
inline size_t held_back(std::string_view text, const Marks& marks) {
  size_t longest = 0;
  for (const std::string_view mark : marks) {
    for (size_t n = std::min(text.size(), mark.empty() ? 0 : mark.size() - 1); n > longest; --n) {
      if (text.ends_with(mark.substr(0, n))) longest = n;
    }
  }
  return longest;
}

}  // namespace mlc::text
