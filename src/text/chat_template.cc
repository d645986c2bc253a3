#include "text/chat_template.h"

#include <map>

#include "base/file.h"
#include "text/mlc_template.h"
#include "text/rust_glue.h"
#include "text/utf8.h"

namespace mlc::text {
namespace {

struct RustTemplateDeleter {
  void operator()(MlcRsTemplate* t) const { mlc_rs_template_free(t); }
};
using RustTemplate = std::unique_ptr<MlcRsTemplate, RustTemplateDeleter>;

Result<RustTemplate> compile(std::string_view source) {
  MlcRsTemplate* raw = nullptr;
  RustBytes failure;
  if (mlc_rs_template_new(bytes_of(source), source.size(), &raw, failure.out()) != MLC_RS_OK) {
    return error(ErrorCode::kCorrupt, "the chat template does not compile: {}", failure.view());
  }
  return RustTemplate(raw);
}

struct Rendered {
  int32_t status;
  std::string text;  // the prompt, or the error
};

Rendered run(const MlcRsTemplate& chat_template, const OrderedJson& context) {
  std::string json = context.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  RustBytes out, failure;
  int32_t status = mlc_rs_template_render(&chat_template, bytes_of(json), json.size(), out.out(), failure.out());
  return {status, status == MLC_RS_OK ? out.str() : failure.str()};
}

// bos_token and its kin, as apply_chat_template hands them to the template.
OrderedJson special_tokens(const Json& config) {
  OrderedJson out = OrderedJson::object();
  for (const char* name :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    if (auto text = special_token_text(config, name)) out[name] = *text;
  }
  if (config.is_object() && config.contains("additional_special_tokens")) {
    out["additional_special_tokens"] = config["additional_special_tokens"];
  }
  return out;
}

// Asks the template itself: does a message with a list of parts come out as its text?
bool probe_content_parts(const MlcRsTemplate& chat_template, const OrderedJson& base) {
  constexpr const char* kNeedle = "needle7fa0";
  OrderedJson parts = OrderedJson::array({OrderedJson{{"type", "text"}, {"text", kNeedle}}});
  OrderedJson context = base;
  context["messages"] = OrderedJson::array({OrderedJson{{"role", "user"}, {"content", parts}}});
  context["add_generation_prompt"] = true;
  Rendered r = run(chat_template, context);
  // A template that takes the content for text prints the list itself, with its keys.
  return r.status == MLC_RS_OK && r.text.find(kNeedle) != std::string::npos &&
         r.text.find("'type'") == std::string::npos && r.text.find("\"type\"") == std::string::npos;
}

constexpr const char *kToolNeedle = "tool7fa0", *kArgumentNeedle = "argument7fa0";

OrderedJson probe_tools() {
  const OrderedJson parameters = {{"type", "object"}, {"properties", {{"a", {{"type", "string"}}}}}};
  const OrderedJson function = {{"name", kToolNeedle}, {"description", "d"}, {"parameters", parameters}};
  return OrderedJson::array({OrderedJson{{"type", "function"}, {"function", function}}});
}

OrderedJson probe_call() {
  const OrderedJson user = {{"role", "user"}, {"content", "x"}};
  const OrderedJson arguments = R"({"a": ")" + std::string(kArgumentNeedle) + "\"}";
  const OrderedJson call = {
      {"id", "abcdefgh1"}, {"type", "function"}, {"function", {{"name", kToolNeedle}, {"arguments", arguments}}}};
  const OrderedJson calls = {{"role", "assistant"}, {"content", ""}, {"tool_calls", OrderedJson::array({call})}};
  const OrderedJson result = {
      {"role", "tool"}, {"tool_call_id", "abcdefgh1"}, {"name", kToolNeedle}, {"content", "result"}};
  return OrderedJson::array({user, calls, result});
}

bool only_text_parts(const OrderedJson& content) {
  if (!content.is_array()) return false;
  for (const OrderedJson& part : content) {
    if (!part.is_object() || !part.contains("text") || !part["text"].is_string()) return false;
  }
  return true;
}

void join_text_parts(OrderedJson& messages) {
  for (OrderedJson& message : messages) {
    if (!message.is_object() || !message.contains("content") || !only_text_parts(message["content"])) continue;
    std::string text;
    for (const OrderedJson& part : message["content"]) {
      if (!text.empty()) text += "\n";
      text += part["text"].get<std::string>();
    }
    message["content"] = text;
  }
}

// Turns the arguments of tool calls from JSON text into objects; true when there were any.
bool parse_arguments(OrderedJson& messages) {
  bool any = false;
  for (OrderedJson& message : messages) {
    if (!message.is_object() || !message.contains("tool_calls") || !message["tool_calls"].is_array()) continue;
    for (OrderedJson& call : message["tool_calls"]) {
      if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
      OrderedJson& function = call["function"];
      if (!function.contains("arguments") || !function["arguments"].is_string()) continue;
      OrderedJson value = OrderedJson::parse(function["arguments"].get<std::string>(), nullptr, false);
      if (!value.is_object()) continue;
      function["arguments"] = std::move(value);
      any = true;
    }
  }
  return any;
}

}  // namespace

struct ChatTemplate::Impl {
  std::optional<MlcConvTemplate> mlc;
  // Jinja: templates by name; "default" always, "tool_use" and "rag" for some models.
  std::map<std::string, RustTemplate> jinja;
  OrderedJson base;  // variables that every rendering has
  bool takes_parts = false;
  bool shows_tools = false, shows_calls = false;
  OutputFormat output_format;
  std::vector<std::string> stop_strings;
  std::vector<int32_t> stop_token_ids;

  Result<std::string> render_jinja(const OrderedJson& messages, const RenderOptions& options) const;
};

Result<std::vector<int32_t>> RenderedPrompt::encode(const Tokenizer& tokenizer) const {
  MLC_TRY(std::vector<int32_t> body, tokenizer.encode(text, /*add_special_tokens=*/false));
  std::vector<int32_t> ids = prefix_ids;
  ids.insert(ids.end(), body.begin(), body.end());
  return ids;
}

Result<std::string> ChatTemplate::Impl::render_jinja(const OrderedJson& messages, const RenderOptions& options) const {
  bool has_tools = options.tools.is_array() && !options.tools.empty();
  auto tool_use = jinja.find("tool_use");
  const MlcRsTemplate& chosen = has_tools && tool_use != jinja.end() ? *tool_use->second : *jinja.at("default");

  OrderedJson context = base;
  context["messages"] = messages;
  context["tools"] = has_tools ? options.tools : OrderedJson();
  context["documents"] = OrderedJson();
  context["add_generation_prompt"] = options.add_generation_prompt;
  if (options.now) context["__now__"] = *options.now;
  for (const auto& [key, value] : options.extra.items()) context[key] = value;
  if (!takes_parts) join_text_parts(context["messages"]);
  bool parsed = parse_arguments(context["messages"]);

  Rendered r = run(chosen, context);
  if (r.status == MLC_RS_FAILED && parsed) {
    OrderedJson with_text = messages;
    if (!takes_parts) join_text_parts(with_text);
    context["messages"] = std::move(with_text);
    if (Rendered again = run(chosen, context); again.status == MLC_RS_OK) r = std::move(again);
  }
  // Some templates go through the tools even when there are none.
  if (r.status == MLC_RS_FAILED && !has_tools) {
    context["tools"] = OrderedJson::array();
    if (Rendered again = run(chosen, context); again.status != MLC_RS_FAILED) r = std::move(again);
  }
  if (r.status == MLC_RS_OK) return std::move(r.text);
  if (r.status == MLC_RS_RAISED) return error("the chat template refuses these messages: {}", r.text);
  return error("the chat template cannot render these messages: {}", r.text);
}

Result<RenderedPrompt> ChatTemplate::render(const OrderedJson& messages, const RenderOptions& options) const {
  if (!messages.is_array()) return error("messages: expected a list of messages, found {}", messages.type_name());
  if (!options.extra.is_object()) {
    return error("chat template variables: expected an object, found {}", options.extra.type_name());
  }
  if (impl_->mlc) return impl_->mlc->render(messages, options.tools, options.add_generation_prompt);
  RenderedPrompt prompt;
  MLC_TRY(prompt.text, impl_->render_jinja(messages, options));
  return prompt;
}

const std::vector<std::string>& ChatTemplate::stop_strings() const { return impl_->stop_strings; }
const std::vector<int32_t>& ChatTemplate::stop_token_ids() const { return impl_->stop_token_ids; }
bool ChatTemplate::takes_content_parts() const { return impl_->takes_parts; }
const OutputFormat& ChatTemplate::output_format() const { return impl_->output_format; }
bool ChatTemplate::shows_tools() const { return impl_->shows_tools; }
bool ChatTemplate::shows_calls() const { return impl_->shows_calls; }

static Result<std::shared_ptr<ChatTemplate::Impl>> make_jinja(const std::map<std::string, std::string>& sources,
                                                              const Json& config) {
  auto impl = std::make_shared<ChatTemplate::Impl>();
  impl->base = special_tokens(config);
  for (const auto& [name, source] : sources) {
    if (size_t at = find_invalid_utf8(source); at != std::string::npos) {
      return error(ErrorCode::kCorrupt, "the chat template is not valid UTF-8: bad byte at offset {}", at);
    }
    MLC_TRY(impl->jinja[name], compile(source));
  }
  impl->takes_parts = probe_content_parts(*impl->jinja.at("default"), impl->base);
  std::string all;
  for (const auto& [name, source] : sources) all += source;
  impl->output_format = detect_formats(all);
  RenderOptions options;
  options.tools = probe_tools();
  const auto tools = impl->render_jinja(OrderedJson::array({OrderedJson{{"role", "user"}, {"content", "x"}}}), options);
  impl->shows_tools = tools && tools->find(kToolNeedle) != std::string::npos;
  const auto calls = impl->render_jinja(probe_call(), options);
  impl->shows_calls = calls && calls->find(kArgumentNeedle) != std::string::npos;
  return impl;
}

Result<ChatTemplate> ChatTemplate::from_jinja(std::string_view source, const Json& config) {
  MLC_TRY(auto impl, make_jinja({{"default", std::string(source)}}, config));
  return ChatTemplate(std::move(impl));
}

Result<ChatTemplate> ChatTemplate::from_tokenizer_config(const Json& config) {
  if (!config.is_object() || !config.contains("chat_template") || config["chat_template"].is_null()) {
    return error(ErrorCode::kNotFound,
                 "the model's tokenizer_config.json has no chat_template; give one with --chat-template FILE");
  }
  const Json& field = config["chat_template"];
  std::map<std::string, std::string> sources;
  if (field.is_string()) {
    sources["default"] = field.get<std::string>();
  } else if (field.is_array()) {
    for (const Json& item : field) {
      if (item.is_object() && item.value("name", Json()).is_string() && item.value("template", Json()).is_string()) {
        sources[item["name"].get<std::string>()] = item["template"].get<std::string>();
      }
    }
  }
  if (!sources.contains("default")) {
    return error(ErrorCode::kCorrupt,
                 "chat_template: expected Jinja text, or a list of {{name, template}} with one named \"default\"");
  }
  MLC_TRY(auto impl, make_jinja(sources, config));
  return ChatTemplate(std::move(impl));
}

Result<ChatTemplate> ChatTemplate::from_mlc_conv_template(const Json& conv_template) {
  auto impl = std::make_shared<Impl>();
  MLC_TRY(impl->mlc, MlcConvTemplate::parse(conv_template));
  impl->stop_strings = impl->mlc->stop_strings;
  impl->stop_token_ids = impl->mlc->stop_token_ids;
  impl->output_format = formats_of_conv_template(impl->mlc->name, impl->mlc->strip_reasoning_in_history);
  RenderOptions options;
  options.tools = probe_tools();
  const OrderedJson user = OrderedJson::array({OrderedJson{{"role", "user"}, {"content", "x"}}});
  const auto tools = impl->mlc->render(user, options.tools, true);
  impl->shows_tools = tools && tools->text.find(kToolNeedle) != std::string::npos;
  return ChatTemplate(std::move(impl));
}

Result<ChatTemplate> ChatTemplate::from_file(const std::string& path, const Json& config) {
  MLC_TRY(std::string text, read_file(path));
  size_t first = text.find_first_not_of(" \t\r\n");
  // "{%", "{{" and "{#" open Jinja; a lone brace opens JSON.
  bool json = first != std::string::npos && text[first] == '{' && text.find_first_of("%{#", first + 1) != first + 1;
  if (!json) return from_jinja(text, config).context("{}", path);
  MLC_TRY(Json value, parse_json(text, path));
  if (value.contains("conv_template") && value["conv_template"].is_object()) value = value["conv_template"];
  if (value.contains("chat_template")) {
    Json merged = config.is_object() ? config : Json::object();
    merged.update(value);
    return from_tokenizer_config(merged).context("{}", path);
  }
  return from_mlc_conv_template(value).context("{}", path);
}

Result<ChatTemplate> ChatTemplate::from_directory(const std::string& dir) {
  Json config;
  if (std::string path = join_path(dir, "tokenizer_config.json"); path_exists(path)) {
    MLC_TRY(config, read_json_file(path));
  }
  if (std::string path = join_path(dir, "mlc-chat-config.json"); path_exists(path)) {
    MLC_TRY(Json mlc_config, read_json_file(path));
    if (mlc_config.is_object() && mlc_config.contains("conv_template") && mlc_config["conv_template"].is_object()) {
      return from_mlc_conv_template(mlc_config["conv_template"]).context("{}", path);
    }
  }
  for (const char* name : {"chat_template.jinja", "chat_template.json"}) {
    if (std::string path = join_path(dir, name); path_exists(path)) return from_file(path, config);
  }
  return from_tokenizer_config(config).context("{}", dir);
}

}  // namespace mlc::text
