#include "tools/overrides.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace mlc::tools {

Result<std::map<std::string, int64_t>> parse_overrides(const std::string& text, const std::vector<std::string>& known) {
  std::map<std::string, int64_t> out;
  std::stringstream list(text);
  for (std::string item; std::getline(list, item, ';');) {
    if (item.empty()) continue;
    const size_t eq = item.find('=');
    if (eq == std::string::npos) return error("--overrides: found \"{}\", expected key=value", item);
    const std::string key = item.substr(0, eq), value = item.substr(eq + 1);
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return error("--overrides: the key \"{}\" is unknown; known are {}", key, fmt::join(known, ", "));
    }
    int64_t number = 0;
    auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (ec != std::errc() || end != value.data() + value.size() || number <= 0) {
      return error("--overrides: {} is \"{}\", expected a positive integer", key, value);
    }
    out[key] = number;
  }
  return out;
}

}  // namespace mlc::tools
