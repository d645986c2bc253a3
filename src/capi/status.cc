#include "capi/status.h"

namespace mlc::capi {
namespace {

thread_local std::string t_last_error;

mlc_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return MLC_INVALID_ARGUMENT;
    case ErrorCode::kNotFound:
      return MLC_NOT_FOUND;
    case ErrorCode::kCorrupt:
      return MLC_CORRUPT;
    case ErrorCode::kUnsupported:
      return MLC_UNSUPPORTED;
    case ErrorCode::kIo:
      return MLC_IO;
    case ErrorCode::kUnavailable:
      return MLC_UNAVAILABLE;
  }
  MLC_UNREACHABLE("error code {}", static_cast<int>(code));
}

}  // namespace

Failure Failure::of(const Error& e) { return {status_of(e.code), e.message}; }

Failure Failure::of(const protocol::ApiError& e) {
  if (e.code == "unsupported_parameter") return {MLC_UNSUPPORTED, e.message};
  if (e.status == 404) return {MLC_NOT_FOUND, e.message};
  if (e.status == 503) return {MLC_UNAVAILABLE, e.message};
  return {e.status >= 500 ? MLC_INTERNAL : MLC_INVALID_ARGUMENT, e.message};
}

mlc_status fail(const Failure& failure) {
  t_last_error = failure.message;
  return failure.status;
}

const char* last_error() { return t_last_error.c_str(); }

}  // namespace mlc::capi
