// A refused or failed request, as OpenAI clients expect it: an HTTP status and the body
//
//   {"error": {"message": "...", "type": "invalid_request_error", "param": "temperature", "code": null}}
//
//   if (n < 1) return bad_value("n", "-1", "an integer from 1 to 128");
//   ApiResult<ChatRequest> r = parse_chat_request(body, defaults);   if (!r) reply(r.error().status, r.error().json());
//
// ApiResult<T> has Result's interface (MLC_TRY works with it); its error keeps the field that was wrong.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/json.h"
#include "base/result.h"

namespace mlc::protocol {

struct ApiError {
  int status = 400;
  std::string message;
  std::string type = "invalid_request_error";
  std::string param;  // the field; empty: null in JSON
  std::string code;   // machine-readable; empty: null in JSON

  OrderedJson json() const;
};

// "'temperature' is "hot"; expected a number from 0 to 2."
ApiError bad_value(const std::string& param, std::string_view found, std::string_view expected);
// A field that is well-formed, but that nothing here handles: `what` says so in a whole sentence.
ApiError unsupported(const std::string& param, const std::string& what);
ApiError model_not_found(const std::string& name, const std::string& served);
ApiError internal_error(const std::string& message);  // 500
ApiError overloaded(const std::string& message);      // 503
// Maps a Result's error: the code gives the status.
ApiError from_error(const Error& error, const std::string& param);

// How a value is shown in a message: scalars as JSON (shortened), containers by kind and size, never their contents.
std::string describe(const Json& value);

template <typename T>
class [[nodiscard]] ApiResult {
 public:
  ApiResult(T value) : state_(std::in_place_index<0>, std::move(value)) {}             // NOLINT: implicit by design
  ApiResult(ApiError failure) : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT: implicit by design

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::move(std::get<0>(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const ApiError& error() const& { return std::get<1>(state_); }
  ApiError&& error() && { return std::move(std::get<1>(state_)); }

 private:
  std::variant<T, ApiError> state_;
};

}  // namespace mlc::protocol
