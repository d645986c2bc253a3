// MLC LLM's conversation templates by name, and the choice of one for a model. Rendering is text/mlc_template.h.
//
//   MLC_TRY(OrderedJson t, conv_template("llama-3"));     // every field, as mlc-chat-config.json carries it
//   std::string name = choose_conv_template("qwen2", jinja);
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace mlc::model {

std::vector<std::string> conv_template_names();
Result<OrderedJson> conv_template(const std::string& name);
// Refuses a template that begins prompts with token ids that the vocabulary does not have: it is another model's.
Result<void> check_conv_template(const OrderedJson& conv_template, int64_t vocab_size);

// The named template that comes closest to a model's own Jinja chat template, by the markers that it writes; "LM" (no
// turns at all) for a model without one.
std::string choose_conv_template(const std::string& model_type, const std::string& chat_template);

}  // namespace mlc::model
