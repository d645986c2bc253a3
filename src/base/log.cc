#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <memory>
#include <string>

#include "base/knobs.h"

namespace mlc::log {

void init(spdlog::level::level_enum default_level) {
  auto logger = std::make_shared<spdlog::logger>("mlc", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%^%l%$ %v");
  const std::string wanted = knob("MLC_LOG");
  if (!wanted.empty()) {
    logger->set_level(spdlog::level::from_str(wanted));
  } else {
    logger->set_level(knob("MLC_DEBUG") == "1" ? spdlog::level::debug : default_level);
  }
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace mlc::log
