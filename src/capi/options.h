// The options of mlc_engine_create(): MLC LLM's EngineConfig as JSON, and this program's own load flags.
#pragma once

#include <string_view>

#include "loader/load.h"
#include "protocol/api_error.h"

namespace mlc::capi {

struct CreateOptions {
  loader::LoadOptions load;
  bool verbose = false;  // progress of slow steps goes to standard error
};

// Unknown fields are refused by name. Empty text: the defaults.
protocol::ApiResult<CreateOptions> parse_options(std::string_view json);

}  // namespace mlc::capi
