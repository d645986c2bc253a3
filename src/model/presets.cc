#include "model/presets.h"

#include <algorithm>
#include <cctype>

#include "model/data/embedded.h"

namespace mlc::model {
namespace {

const Json& presets() {
  static const Json all = Json::parse(kPresetsJson);
  return all;
}

std::string normalized(const std::string& name) {
  std::string out;
  for (char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& [name, body] : presets().items()) names.push_back(name);
  return names;
}

Result<Json> preset_json(const std::string& name) {
  const std::string wanted = normalized(name);
  std::string known;
  for (const auto& [candidate, body] : presets().items()) {
    if (normalized(candidate) == wanted) return body;
    known += (known.empty() ? "" : ", ") + candidate;
  }
  return error(ErrorCode::kNotFound, "there is no preset \"{}\"; the presets are {}", name, known);
}

Result<ModelConfig> preset_config(const std::string& name) {
  MLC_TRY(Json body, preset_json(name));
  return parse_model_config(body, "the preset " + name);
}

}  // namespace mlc::model
