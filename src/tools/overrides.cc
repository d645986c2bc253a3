#include "tools/overrides.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace mlc::tools {

namespace {

template <typename T>
bool parse_whole(const std::string& text, T* value) {
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return ec == std::errc() && end == text.data() + text.size();
}

struct Refused {
  std::string_view key, neutral, why;
};
constexpr Refused kRefused[] = {
    {"tensor_parallel_shards", "1", "a model runs on one device"},
    {"pipeline_parallel_stages", "1", "a model runs on one device"},
    {"disaggregation", "0", "prefill and decode run in one process"},
    {"sliding_window_size", "-1", "attention goes over the whole context"},
    {"attention_sink_size", "-1", "attention goes over the whole context"},
    {"max_history_size", "0", "it is for recurrent models, which this version does not run"},
    {"spec_tree_width", "1", "guesses are one line of tokens"},
};

// True: nothing is to be done. An error: the key is known, its value cannot be had.
Result<bool> is_neutral(const std::string& key, const std::string& value) {
  const auto* found =
      std::find_if(std::begin(kRefused), std::end(kRefused), [&](const Refused& r) { return r.key == key; });
  if (found == std::end(kRefused)) return false;
  if (value == found->neutral) return true;
  return error("--overrides: {} can only be {} here, not {}: {}", key, found->neutral, value, found->why);
}

Result<std::map<std::string, std::string>> split(const std::string& text, const std::vector<std::string>& known) {
  std::map<std::string, std::string> out;
  std::stringstream list(text);
  for (std::string item; std::getline(list, item, ';');) {
    if (item.empty()) continue;
    const size_t eq = item.find('=');
    if (eq == std::string::npos) return error("--overrides: found \"{}\", expected key=value", item);
    const std::string key = item.substr(0, eq), value = item.substr(eq + 1);
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      MLC_TRY(const bool neutral, is_neutral(key, value));
      if (neutral) continue;
      return error("--overrides: the key \"{}\" is unknown; known are {}", key, fmt::join(known, ", "));
    }
    out[key] = value;
  }
  return out;
}

}  // namespace

Result<std::map<std::string, int64_t>> parse_overrides(const std::string& text, const std::vector<std::string>& known) {
  MLC_TRY(auto values, split(text, known));
  std::map<std::string, int64_t> out;
  for (const auto& [key, value] : values) {
    if (!parse_whole(value, &out[key]) || out[key] <= 0) {
      return error("--overrides: {} is \"{}\", expected a positive integer", key, value);
    }
  }
  return out;
}

Result<Overrides> Overrides::parse(const std::string& text, const std::vector<std::string>& known) {
  Overrides o;
  MLC_TRY(o.values_, split(text, known));
  return o;
}

Result<void> Overrides::read(const std::string& key, int64_t low, int64_t* field) const {
  const auto it = values_.find(key);
  if (it == values_.end()) return {};
  int64_t value = 0;
  if (parse_whole(it->second, &value) && value >= low) {
    *field = value;
    return {};
  }
  if (low == 1) return error("--overrides: {} is \"{}\", expected a positive integer", key, it->second);
  return error("--overrides: {} is \"{}\", expected an integer, at least {}", key, it->second, low);
}

Result<void> Overrides::read(const std::string& key, double low, double high, double* field) const {
  const auto it = values_.find(key);
  if (it == values_.end()) return {};
  double value = 0;
  if (parse_whole(it->second, &value) && value >= low && value <= high) {
    *field = value;
    return {};
  }
  return error("--overrides: {} is \"{}\", expected a number from {} to {}", key, it->second, low, high);
}

void Overrides::read(const std::string& key, std::string* field) const {
  const auto it = values_.find(key);
  if (it != values_.end()) *field = it->second;
}

}  // namespace mlc::tools
