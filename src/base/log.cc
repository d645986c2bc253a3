#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <utility>

#include "base/knobs.h"

namespace mlc::log {
namespace {

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::kTrace:
      return spdlog::level::trace;
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      break;
  }
  return spdlog::level::off;
}

}  // namespace

std::optional<Level> level_named(std::string_view name) {
  constexpr std::pair<std::string_view, Level> kNames[] = {
      {"trace", Level::kTrace}, {"debug", Level::kDebug}, {"info", Level::kInfo},
      {"warn", Level::kWarn},   {"error", Level::kError}, {"off", Level::kOff},
  };
  for (const auto& [known, level] : kNames) {
    if (name == known) return level;
  }
  return std::nullopt;
}

void init(Level default_level) {
  auto logger = std::make_shared<spdlog::logger>("mlc", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%^%l%$ %v");
  const std::string wanted = knob("MLC_LOG");
  const std::optional<Level> named = level_named(wanted);
  logger->set_level(level_of(named.value_or(knob("MLC_DEBUG") == "1" ? Level::kDebug : default_level)));
  spdlog::set_default_logger(std::move(logger));
  if (!wanted.empty() && !named) {
    warn("MLC_LOG=\"{}\" is no log level; expected trace, debug, info, warn, error or off", wanted);
  }
}

void set_level(Level level) { spdlog::set_level(level_of(level)); }

void write(Level level, fmt::string_view format, fmt::format_args args) {
  spdlog::logger* logger = spdlog::default_logger_raw();
  const spdlog::level::level_enum wanted = level_of(level);
  if (!logger->should_log(wanted)) return;
  const std::string text = fmt::vformat(format, args);
  logger->log(wanted, spdlog::string_view_t(text));
}

}  // namespace mlc::log
