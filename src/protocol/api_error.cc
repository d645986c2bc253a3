#include "protocol/api_error.h"

namespace mlc::protocol {
namespace {

constexpr size_t kMaxShown = 80;  // characters of a wrong value repeated in a message

OrderedJson text_or_null(const std::string& text) { return text.empty() ? OrderedJson(nullptr) : OrderedJson(text); }

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
      return 500;
  }
  MLC_UNREACHABLE("error code {}", static_cast<int>(code));
}

}  // namespace

OrderedJson ApiError::json() const {
  return {
      {"error", {{"message", message}, {"type", type}, {"param", text_or_null(param)}, {"code", text_or_null(code)}}}};
}

ApiError bad_value(const std::string& param, std::string_view found, std::string_view expected) {
  ApiError e;
  e.message = fmt::format("'{}' is {}; expected {}.", param, found, expected);
  e.param = param;
  e.code = "invalid_value";
  return e;
}

ApiError unsupported(const std::string& param, const std::string& what) {
  ApiError e;
  e.message = what;
  e.param = param;
  e.code = "unsupported_parameter";
  return e;
}

ApiError model_not_found(const std::string& name, const std::string& served) {
  ApiError e;
  e.status = 404;
  e.message = fmt::format("The requested model \"{}\" is not served; served: {}.", name, served);
  e.param = "model";
  e.code = "model_not_found";
  return e;
}

ApiError internal_error(const std::string& message) { return {500, message, "server_error", "", "internal_error"}; }

ApiError overloaded(const std::string& message) { return {503, message, "server_error", "", "server_overloaded"}; }

ApiError from_error(const Error& failure, const std::string& param) {
  ApiError e;
  e.status = status_of(failure.code);
  e.message = failure.message;
  e.param = param;
  if (e.status >= 500) e.type = "server_error";
  if (e.status == 400) e.code = "invalid_value";
  return e;
}

std::string describe(const Json& value) {
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  if (value.is_object()) return fmt::format("an object of {}", value.size());
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kMaxShown) return text;
  size_t cut = kMaxShown;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;  // keep characters whole
  return text.substr(0, cut) + "…";
}

}  // namespace mlc::protocol
