// MLC LLM's conversation templates: the "conv_template" of mlc-chat-config.json. Not Jinja; a prompt is
//
//   system_template(system_message)
//   then per message:  role + role_content_sep + role_template(content) + separator
//   then, to be answered:  roles.assistant + role_empty_sep
//
// where the separator is seps[0], or the last of seps after an assistant's message, and the first message's role is
// left out if add_role_after_system_message is false and there is a system text. The last {function_string} in the
// prompt becomes the tools as JSON, all others vanish. Used through ChatTemplate.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mlc::text {

struct RenderedPrompt;

struct MlcConvTemplate {
  std::string name;
  std::string system_template = "{system_message}";
  std::string system_message;
  std::vector<int32_t> system_prefix_token_ids;
  bool add_role_after_system_message = true;
  std::map<std::string, std::string> roles;                   // role -> what opens its turn
  std::map<std::string, std::string> role_templates;          // role -> text around "{<role>_message}"
  std::vector<std::pair<std::string, OrderedJson>> messages;  // turns that every conversation starts with
  std::vector<std::string> seps;                              // one or two
  std::string role_content_sep;
  std::string role_empty_sep;
  std::vector<std::string> stop_strings;
  std::vector<int32_t> stop_token_ids;
  bool strip_reasoning_in_history = false;
  std::string function_string;

  static Result<MlcConvTemplate> parse(const Json& json);
  // A system message replaces the template's own. Roles that the template does not have are refused, and so are images.
  Result<RenderedPrompt> render(const OrderedJson& messages, const OrderedJson& tools,
                                bool add_generation_prompt) const;

 private:
  Result<std::string> render_turn(const std::string& role, const OrderedJson& content, bool show_role) const;
};

}  // namespace mlc::text
