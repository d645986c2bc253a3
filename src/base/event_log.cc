#include "base/event_log.h"

#include <fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/log.h"

namespace mlc::log {
namespace {

Format chosen_format = Format::kText;

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

std::string json_line(spdlog::log_clock::time_point time, std::string_view level, std::string_view message,
                      const OrderedJson& fields) {
  const auto since_epoch = std::chrono::time_point_cast<std::chrono::milliseconds>(time).time_since_epoch().count();
  const std::string ts =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(spdlog::log_clock::to_time_t(time)), since_epoch % 1000);
  OrderedJson line = {{"ts", ts}, {"level", std::string(level)}, {"msg", std::string(message)}};
  line.update(fields);
  return dump(line);
}

// A message that is such a line already (event() makes those) passes as it is.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& out) override {
    const std::string_view text(msg.payload.data(), msg.payload.size());
    const auto level = spdlog::level::to_string_view(msg.level);
    const std::string line = text.starts_with("{\"ts\":")
                                 ? std::string(text)
                                 : json_line(msg.time, {level.data(), level.size()}, text, OrderedJson::object());
    out.append(line.data(), line.data() + line.size());
    out.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

void set_format(Format format) {
  chosen_format = format;
  if (format == Format::kJson) {
    spdlog::default_logger()->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    spdlog::default_logger()->set_pattern("%^%l%$ %v");
  }
}

void event(const std::string& message, const OrderedJson& fields) {
  if (!spdlog::should_log(spdlog::level::info)) return;
  if (chosen_format == Format::kJson) {
    return info("{}", json_line(spdlog::log_clock::now(), "info", message, fields));
  }
  std::string line = message;
  for (const auto& [key, value] : fields.items()) {
    if (!value.is_null()) line += " " + key + "=" + (value.is_string() ? value.get<std::string>() : dump(value));
  }
  info("{}", line);
}

}  // namespace mlc::log
