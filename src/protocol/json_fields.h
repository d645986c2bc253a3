// Typed access to the fields of a request object, with the first fault kept instead of returned, so that a parser reads
// as the list of its fields.
//
//   Fields f(body);
//   if (auto t = f.number("temperature", 0, 2)) out.temperature = *t;
//   if (auto n = f.integer("n", 1, 128)) out.n = *n;
//   if (f.failed()) return f.error();
//
// A field that is absent or null yields nullopt. After the first fault the readers go on, their values are of no use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/api_error.h"

namespace mlc::protocol {

// Parses a request body: an object, nested no deeper than 64, UTF-8. Messages give line and column.
ApiResult<Json> parse_body(std::string_view body);

class Fields {
 public:
  // `object` must be a JSON object and outlive this. `prefix` is put before names in messages ("stream_options.").
  explicit Fields(const Json& object, std::string prefix = "") : object_(object), prefix_(std::move(prefix)) {}

  const Json* find(const std::string& name) const;  // null when absent or JSON null
  std::optional<double> number(const std::string& name, double low, double high);
  std::optional<int64_t> integer(const std::string& name, int64_t low, int64_t high);
  std::optional<bool> boolean(const std::string& name);
  std::optional<std::string> string(const std::string& name);
  const Json* object(const std::string& name);

  void fail(ApiError error);  // keeps the first
  bool failed() const { return error_.has_value(); }
  const ApiError& error() const { return *error_; }
  std::string full(const std::string& name) const { return prefix_ + name; }

 private:
  const Json& object_;
  std::string prefix_;
  std::optional<ApiError> error_;
};

// A list of token ids in [0, 2^31); `param` names it in messages.
ApiResult<std::vector<int32_t>> token_ids(const Json& value, const std::string& param);

}  // namespace mlc::protocol
