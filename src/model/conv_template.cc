#include "model/conv_template.h"

#include "model/data/embedded.h"

namespace mlc::model {
namespace {

const OrderedJson& templates() {
  static const OrderedJson all = OrderedJson::parse(kConvTemplatesJson);
  return all;
}

// Every field in MLC's order, with its default. A null is left out when the template does not set it.
const OrderedJson& defaults() {
  static const OrderedJson fields = OrderedJson::parse(R"json({
    "name": "", "system_template": "{system_message}", "system_message": "", "system_prefix_token_ids": null,
    "add_role_after_system_message": true, "roles": {},
    "role_templates": {"user": "{user_message}", "assistant": "{assistant_message}", "tool": "{tool_message}"},
    "messages": [], "seps": [""], "role_content_sep": "", "role_empty_sep": "", "stop_str": [], "stop_token_ids": [],
    "strip_reasoning_in_history": false, "function_string": "", "use_function_calling": false})json");
  return fields;
}

struct Marker {
  const char* text;        // in the Jinja template
  const char* also;        // and this; nullptr for no second condition
  const char* model_type;  // only for this model type; nullptr for any
  const char* name;
};
// The first match wins: the more particular first.
constexpr Marker kMarkers[] = {
    {"<|start_header_id|>", "Cutting Knowledge", nullptr, "llama-3_1"},
    {"<|start_header_id|>", nullptr, nullptr, "llama-3"},
    {"<|im_start|>", nullptr, "qwen2", "qwen2"},
    {"<|im_start|>", nullptr, nullptr, "chatml"},
    {"[INST]", "<<SYS>>", nullptr, "llama-2"},
    {"[INST]", nullptr, nullptr, "mistral_default"},
    {"<|user|>", "<|end|>", nullptr, "phi-3"},
    {"<|user|>", nullptr, nullptr, "tinyllama_v1_0"},
    {"<start_of_turn>", nullptr, nullptr, "gemma_instruction"},
};

}  // namespace

std::vector<std::string> conv_template_names() {
  std::vector<std::string> names;
  for (const auto& [name, body] : templates().items()) names.push_back(name);
  return names;
}

Result<OrderedJson> conv_template(const std::string& name) {
  auto it = templates().find(name);
  if (it == templates().end()) {
    std::string known;
    for (const std::string& n : conv_template_names()) known += ", " + n;
    return error(ErrorCode::kNotFound, "there is no conversation template \"{}\"; choose auto{}", name, known);
  }
  OrderedJson full;
  for (const auto& [key, value] : defaults().items()) {
    if (it->contains(key)) {
      full[key] = (*it)[key];
    } else if (!value.is_null()) {
      full[key] = value;
    }
  }
  full["name"] = name;
  return full;
}

Result<void> check_conv_template(const OrderedJson& conv_template, int64_t vocab_size) {
  const auto ids = conv_template.find("system_prefix_token_ids");
  if (ids == conv_template.end() || !ids->is_array()) return {};
  for (const auto& id : *ids) {
    if (!id.is_number_integer() || (id.get<int64_t>() >= 0 && id.get<int64_t>() < vocab_size)) continue;
    return error(
        "the conversation template \"{}\" begins prompts with token {}, but the model's vocabulary has {} "
        "tokens: it is another model's template; choose another (auto takes the model's own)",
        conv_template.value("name", ""), id.get<int64_t>(), vocab_size);
  }
  return {};
}

std::string choose_conv_template(const std::string& model_type, const std::string& chat_template) {
  for (const Marker& m : kMarkers) {
    if (m.model_type != nullptr && model_type != m.model_type) continue;
    if (chat_template.find(m.text) == std::string::npos) continue;
    if (m.also == nullptr || chat_template.find(m.also) != std::string::npos) return m.name;
  }
  return "LM";
}

}  // namespace mlc::model
