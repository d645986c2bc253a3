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

// Values are positive integers. An unknown key names the ones that are known.
Result<std::map<std::string, int64_t>> parse_overrides(const std::string& text, const std::vector<std::string>& known);

}  // namespace mlc::tools
