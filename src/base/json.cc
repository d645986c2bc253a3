#include "base/json.h"

#include "base/file.h"

namespace mlc {

Result<Json> parse_json(std::string_view text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    // The library's prefix "[json.exception.parse_error.101] " means nothing to a user.
    std::string reason = e.what();
    if (auto end = reason.find("] "); !reason.empty() && reason[0] == '[' && end != std::string::npos) {
      reason = reason.substr(end + 2);
    }
    for (char& c : reason) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    return error(ErrorCode::kCorrupt, "{}: not valid JSON: {}", where, reason);
  }
}

Result<Json> read_json_file(const std::string& path) {
  MLC_TRY(std::string text, read_file(path));
  return parse_json(text, path);
}

}  // namespace mlc
