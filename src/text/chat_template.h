// Messages to a prompt.
//
//   MLC_TRY(ChatTemplate chat, ChatTemplate::from_directory("models/qwen3"));
//   OrderedJson messages = {{{"role", "user"}, {"content", "Hi"}}};
//   MLC_TRY(RenderedPrompt prompt, chat.render(messages));
//   MLC_TRY(std::vector<int32_t> ids, prompt.encode(tokenizer));
//
// Two kinds behind one face: Jinja, with the meaning that Hugging Face's apply_chat_template gives it, and MLC's
// conversation templates (mlc_template.h). OrderedJson keeps the order in which a client wrote the keys of its tools,
// which templates print.
//
// A ChatTemplate is immutable and cheap to copy; any number of threads may render with one at the same time.
// Errors: kInvalidArgument with the template's own words when it refuses the messages, or with the line at fault;
// kNotFound when a model has no template; kCorrupt for a template that does not compile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/output/tool_format.h"
#include "text/tokenizer.h"

namespace mlc::text {

struct RenderedPrompt {
  std::string text;
  std::vector<int32_t> prefix_ids;  // go before the text's ids; MLC templates give BOS this way

  // prefix_ids, then the text's ids. Nothing is added around the text: the template has written BOS if it wants it.
  Result<std::vector<int32_t>> encode(const Tokenizer& tokenizer) const;
};

struct RenderOptions {
  OrderedJson tools = OrderedJson::array();  // OpenAI's form: [{"type": "function", "function": {...}}]
  bool add_generation_prompt = true;         // end with the assistant's opening, for the model to go on
  OrderedJson extra =
      OrderedJson::object();   // more variables ("chat_template_kwargs": enable_thinking, documents, ...)
  std::optional<int64_t> now;  // seconds since 1970 for strftime_now; unset: the clock, in local time
};

class ChatTemplate {
 public:
  // In this order: mlc-chat-config.json's conv_template, chat_template.jinja, chat_template.json, and the field
  // chat_template of tokenizer_config.json.
  static Result<ChatTemplate> from_directory(const std::string& dir);
  // A Jinja file, or JSON: an MLC conversation template, an mlc-chat-config.json, a tokenizer_config.json.
  // `config`: the model's tokenizer_config.json, for bos_token and its kin; may be null.
  static Result<ChatTemplate> from_file(const std::string& path, const Json& config = nullptr);
  static Result<ChatTemplate> from_tokenizer_config(const Json& config);
  static Result<ChatTemplate> from_jinja(std::string_view source, const Json& config = nullptr);
  static Result<ChatTemplate> from_mlc_conv_template(const Json& conv_template);

  // `messages`: OpenAI's form. Where a template wants text but a message has a list of text parts, the parts are joined
  // with newlines; tool-call arguments are handed over as objects, or as JSON text where the template fails on those.
  Result<RenderedPrompt> render(const OrderedJson& messages, const RenderOptions& options = {}) const;

  // What else ends an answer; empty for Jinja templates, which leave that to the model's EOS ids.
  const std::vector<std::string>& stop_strings() const;
  const std::vector<int32_t>& stop_token_ids() const;
  // A Jinja template that lists content parts itself (text, images) instead of expecting one text.
  bool takes_content_parts() const;

  // How the model writes calls of tools and what it thinks, as far as the template's text tells.
  const OutputFormat& output_format() const;
  // Whether tools, and calls of tools in a conversation, show in the prompt at all.
  bool shows_tools() const;
  bool shows_calls() const;

  struct Impl;

 private:
  explicit ChatTemplate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace mlc::text
