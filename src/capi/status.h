// How the C library tells of a failure: a status and this thread's last error.
#pragma once

#include <string>

#include "base/result.h"
#include "mlc_llm/c_api.h"
#include "protocol/api_error.h"

namespace mlc::capi {

struct Failure {
  mlc_status status = MLC_OK;
  std::string message{};

  static Failure of(const Error& e);
  static Failure of(const protocol::ApiError& e);
  static Failure cancelled(const std::string& why) { return {MLC_CANCELLED, why}; }
};

// Remembers the message for mlc_last_error() and returns the status.
mlc_status fail(const Failure& failure);
const char* last_error();

}  // namespace mlc::capi
