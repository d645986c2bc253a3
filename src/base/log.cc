#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <memory>

namespace mlc::log {

void init(spdlog::level::level_enum default_level) {
  auto logger = std::make_shared<spdlog::logger>("mlc", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%^%l%$ %v");
  const char* wanted = std::getenv("MLC_LOG");
  logger->set_level(wanted != nullptr && *wanted != '\0' ? spdlog::level::from_str(wanted) : default_level);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace mlc::log
