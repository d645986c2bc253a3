// Errors that are the world's or the user's fault, as values.
//
//   Result<Config> load(const std::string& path) {
//     MLC_TRY(auto text, read_file(path));            // returns early with the error
//     if (text.empty()) return error("{}: the file is empty; expected JSON", path);
//     return parse(text).context("while reading {}", path);
//   }
//
// The interface follows std::expected (C++23), so that it can be swapped in. A message says what was found, what was
// expected and what to do. Our own bugs are not errors: see base/check.h.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace mlc {

// What kind of fault it is; front ends map it to exit codes and HTTP statuses.
enum class ErrorCode {
  kInvalidArgument,  // the caller's input is wrong (HTTP 400)
  kNotFound,         // a file, model or name does not exist (HTTP 404)
  kCorrupt,          // data fails its own description (truncated, bad checksum, wrong dtype)
  kUnsupported,      // well-formed, but nothing here handles it
  kIo,               // the operating system refused (disk full, permission)
  kUnavailable,      // cannot now: port in use, queue full, draining
};

struct Error {
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::string message;

  // Prefixes the message with where it happened: "while reading x: <message>".
  template <typename... Args>
  Error context(fmt::format_string<Args...> f, Args&&... args) && {
    message = fmt::format(f, std::forward<Args>(args)...) + ": " + message;
    return std::move(*this);
  }
};

template <typename... Args>
Error error(fmt::format_string<Args...> f, Args&&... args) {
  return Error{ErrorCode::kInvalidArgument, fmt::format(f, std::forward<Args>(args)...)};
}
template <typename... Args>
Error error(ErrorCode code, fmt::format_string<Args...> f, Args&&... args) {
  return Error{code, fmt::format(f, std::forward<Args>(args)...)};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}          // NOLINT: implicit by design
  Result(Error failure) : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT: implicit by design

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    MLC_CHECK(has_value(), "value() of a failed Result: {}", std::get<1>(state_).message);
    return std::get<0>(state_);
  }
  const T& value() const& {
    MLC_CHECK(has_value(), "value() of a failed Result: {}", std::get<1>(state_).message);
    return std::get<0>(state_);
  }
  T&& value() && {
    MLC_CHECK(has_value(), "value() of a failed Result: {}", std::get<1>(state_).message);
    return std::move(std::get<0>(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& {
    MLC_CHECK(!has_value(), "error() of a successful Result");
    return std::get<1>(state_);
  }
  Error&& error() && {
    MLC_CHECK(!has_value(), "error() of a successful Result");
    return std::move(std::get<1>(state_));
  }

  template <typename... Args>
  Result context(fmt::format_string<Args...> f, Args&&... args) && {
    if (has_value()) return std::move(*this);
    return std::move(std::get<1>(state_)).context(f, std::forward<Args>(args)...);
  }

 private:
  std::variant<T, Error> state_;
};

// A Result without a value: `return {};` or `return Ok{};` for success.
struct Ok {};
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Ok) {}                                                         // NOLINT: implicit by design
  Result(Error failure) : failed_(true), error_(std::move(failure)) {}  // NOLINT: implicit by design

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return !failed_; }
  void value() const { MLC_CHECK(!failed_, "value() of a failed Result: {}", error_.message); }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }

  template <typename... Args>
  Result context(fmt::format_string<Args...> f, Args&&... args) && {
    if (!failed_) return std::move(*this);
    return std::move(error_).context(f, std::forward<Args>(args)...);
  }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace mlc

#define MLC_CONCAT_INNER(a, b) a##b
#define MLC_CONCAT(a, b) MLC_CONCAT_INNER(a, b)
// MLC_TRY(auto x, f()); declares x from the value of f(), or returns its error from the enclosing function.
#define MLC_TRY(decl, expr) MLC_TRY_IMPL(MLC_CONCAT(mlc_try_, __LINE__), decl, expr)
#define MLC_TRY_IMPL(tmp, decl, expr)      \
  auto tmp = (expr);                       \
  if (!tmp) return std::move(tmp).error(); \
  decl = std::move(tmp).value()
// MLC_TRY_VOID(f()); for Result<void>.
#define MLC_TRY_VOID(expr)                                     \
  do {                                                         \
    auto mlc_try_void = (expr);                                \
    if (!mlc_try_void) return std::move(mlc_try_void).error(); \
  } while (0)
