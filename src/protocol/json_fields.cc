#include "protocol/json_fields.h"

#include <cmath>
#include <limits>

namespace mlc::protocol {
namespace {

constexpr int kMaxDepth = 64;

// The JSON library builds and destroys deep values recursively in places; depth is therefore bounded before it sees
// them.
int nesting_depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

ApiError invalid_json(std::string message) {
  ApiError e;
  e.message = "The request body is not valid JSON: " + std::move(message);
  e.code = "invalid_json";
  return e;
}

// "[json.exception.parse_error.101] parse error at line 1, column 2: ..." without the library's tag.
std::string library_message(const std::string& what) {
  const size_t end = what.find("] ");
  return end == std::string::npos ? what : what.substr(end + 2);
}

std::string number_text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{}", value);
}

std::string range_text(double low, double high) {
  if (high >= static_cast<double>(std::numeric_limits<int32_t>::max()))
    return fmt::format("{} or more", number_text(low));
  return fmt::format("from {} to {}", number_text(low), number_text(high));
}

}  // namespace

ApiResult<Json> parse_body(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return invalid_json("it is empty; expected a JSON object.");
  }
  if (nesting_depth(body) > kMaxDepth) {
    return invalid_json(fmt::format("it is nested deeper than {} levels.", kMaxDepth));
  }
  try {
    Json value = Json::parse(body);
    if (!value.is_object()) {
      return invalid_json(fmt::format("expected an object, found {}.", describe(value)));
    }
    return value;
  } catch (const Json::exception& e) {
    return invalid_json(library_message(e.what()) + ".");
  }
}

const Json* Fields::find(const std::string& name) const {
  const auto it = object_.find(name);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

void Fields::fail(ApiError error) {
  if (!error_) error_ = std::move(error);
}

std::optional<double> Fields::number(const std::string& name, double low, double high) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (value->is_number()) {
    const double x = value->get<double>();
    if (x >= low && x <= high) return x;
  }
  fail(bad_value(full(name), describe(*value), "a number " + range_text(low, high)));
  return std::nullopt;
}

std::optional<int64_t> Fields::integer(const std::string& name, int64_t low, int64_t high) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  const bool fits = value->is_number_unsigned() ? value->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)
                                                : value->is_number_integer();
  if (fits) {
    const int64_t x = value->get<int64_t>();
    if (x >= low && x <= high) return x;
  }
  const bool any = low == INT64_MIN && high == INT64_MAX;
  fail(bad_value(
      full(name), describe(*value),
      any ? "a 64-bit integer" : "an integer " + range_text(static_cast<double>(low), static_cast<double>(high))));
  return std::nullopt;
}

std::optional<bool> Fields::boolean(const std::string& name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  fail(bad_value(full(name), describe(*value), "true or false"));
  return std::nullopt;
}

std::optional<std::string> Fields::string(const std::string& name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  fail(bad_value(full(name), describe(*value), "a string"));
  return std::nullopt;
}

const Json* Fields::object(const std::string& name) {
  const Json* value = find(name);
  if (!value || value->is_object()) return value;
  fail(bad_value(full(name), describe(*value), "an object"));
  return nullptr;
}

ApiResult<std::vector<int32_t>> token_ids(const Json& value, const std::string& param) {
  if (!value.is_array()) return bad_value(param, describe(value), "a list of token ids");
  std::vector<int32_t> ids;
  ids.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    const Json& v = value[i];
    const bool ok = v.is_number_integer() && (v.is_number_unsigned() ? v.get<uint64_t>() <= INT32_MAX : false);
    if (!ok) return bad_value(fmt::format("{}[{}]", param, i), describe(v), "a token id (an integer from 0)");
    ids.push_back(static_cast<int32_t>(v.get<int64_t>()));
  }
  return ids;
}

}  // namespace mlc::protocol
