// The data files of this folder, compiled in.
#pragma once

#include <string_view>

namespace mlc::model {

// presets.json: name -> config.json body, of every supported architecture's known models.
extern const std::string_view kPresetsJson;
// conv_templates.json: name -> the fields of MLC LLM's conversation template that differ from the defaults.
extern const std::string_view kConvTemplatesJson;

}  // namespace mlc::model
