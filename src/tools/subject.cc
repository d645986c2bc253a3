#include "tools/subject.h"

#include "base/file.h"
#include "loader/hub_model.h"
#include "model/chat_config.h"
#include "model/presets.h"
#include "quant/scheme.h"

namespace mlc::tools {

Result<Subject> find_subject(const std::string& named, const std::string& quantization) {
  MLC_TRY(const std::string model, loader::local_model(named, loader::Weights::kNotNeeded));
  Subject s;
  s.scheme = quantization;
  if (path_exists(join_path(model, "mlc-chat-config.json")) || model.ends_with("mlc-chat-config.json")) {
    MLC_TRY(model::ChatConfig chat, model::load_chat_config(model));
    s.config = chat.model;
    s.context_window_size = chat.context_window_size;
    if (s.scheme.empty()) s.scheme = chat.quantization;
  } else if (path_exists(model)) {
    MLC_TRY(s.config, model::load_model_config(model));
  } else {
    auto preset = model::preset_config(model);
    if (!preset) {
      return error(ErrorCode::kNotFound, "there is no file or directory \"{}\", and it is not a preset: {}", model,
                   preset.error().message);
    }
    s.config = *preset;
  }
  if (s.scheme.empty()) return error("--quantization is needed: {} does not name one", model);
  MLC_TRY(const quant::Scheme* scheme, quant::scheme_by_name(s.scheme));
  s.scheme = scheme->name();
  return s;
}

}  // namespace mlc::tools
