// JSON schemas on their way to llguidance: put into the words it knows where that does not change what they accept, and
// its refusals put into ours.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mlc::text {

// The schema as JSON text, keys in the client's order. Errors: not JSON, not an object, nested too deeply.
Result<std::string> rewrite_schema(std::string_view schema);

// `failure`: what llguidance said of the schema. Names the keyword and, where it can be found, the place.
std::string explain_schema_error(std::string_view schema, const std::string& failure);

}  // namespace mlc::text
