// Logging: one line per event, to standard error, through spdlog. Levels by $MLC_LOG (trace debug info warn error off;
// default warn for commands that talk to a person, info for the server).
//
//   log::info("loaded {} parameters in {} ms", n, ms);
#pragma once

#include <spdlog/spdlog.h>

namespace mlc::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::trace;
using spdlog::warn;

// Sets pattern, sink and level; $MLC_LOG wins over `default_level`.
void init(spdlog::level::level_enum default_level);

}  // namespace mlc::log
