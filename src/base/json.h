// JSON from files and text, with errors as values.
//
//   MLC_TRY(Json config, read_json_file(dir + "/config.json"));
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mlc {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// `where` names the source in the message: "config.json: not valid JSON: ... at line 3".
Result<Json> parse_json(std::string_view text, const std::string& where);
Result<Json> read_json_file(const std::string& path);

}  // namespace mlc
