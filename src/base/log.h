// Logging: one line per event, to standard error. Levels by $MLC_LOG (trace debug info warn error off; default warn for
// commands that talk to a person, info for the server).
//
//   log::info("loaded {} parameters in {} ms", n, ms);
//
// spdlog does the work, in this folder's files alone: its templates would cost each file that logs seconds of compile
// time.
#pragma once

#include <fmt/core.h>

#include <optional>
#include <string_view>

namespace mlc::log {

enum class Level { kTrace, kDebug, kInfo, kWarn, kError, kOff };

// "trace" … "off", as in $MLC_LOG; nothing for another word.
std::optional<Level> level_named(std::string_view name);

// Sets pattern, sink and level; $MLC_LOG wins over `default_level`.
void init(Level default_level);
void set_level(Level level);

// Writes nothing, and formats nothing, below the level that is set. Safe from any thread.
void write(Level level, fmt::string_view format, fmt::format_args args);

template <typename... Args>
void debug(fmt::format_string<Args...> format, const Args&... args) {
  write(Level::kDebug, format, fmt::make_format_args(args...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, const Args&... args) {
  write(Level::kInfo, format, fmt::make_format_args(args...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, const Args&... args) {
  write(Level::kWarn, format, fmt::make_format_args(args...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, const Args&... args) {
  write(Level::kError, format, fmt::make_format_args(args...));
}

}  // namespace mlc::log
