// "--overrides k=v;k=v", as MLC LLM's commands take it.
//
//   MLC_TRY(auto o, parse_overrides("context_window_size=2048", {"context_window_size", "prefill_chunk_size"}));
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::tools {

// Values are positive integers. An unknown key names the ones that are known. What MLC LLM knows and this program does
// not is refused with the reason, unless it asks for what is so anyway ("tensor_parallel_shards=1").
Result<std::map<std::string, int64_t>> parse_overrides(const std::string& text, const std::vector<std::string>& known);

// The same list with values of several kinds, each asked for by name; an absent key leaves its field as it is.
class Overrides {
 public:
  static Result<Overrides> parse(const std::string& text, const std::vector<std::string>& known);
  Result<void> read(const std::string& key, int64_t low, int64_t* field) const;
  Result<void> read(const std::string& key, double low, double high, double* field) const;
  void read(const std::string& key, std::string* field) const;

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace mlc::tools
