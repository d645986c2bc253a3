#include "protocol/prompt.h"

#include <algorithm>

#include "engine/grammar_constraint.h"
#include "protocol/message_parser.h"
#include "text/output/tool_writer.h"

namespace mlc::protocol {
namespace {

ApiError no_tokenizer(const std::string& param) {
  return unsupported(param,
                     "This model was loaded without a tokenizer; it takes prompts of token ids only: "
                     "POST /v1/completions with \"prompt\": [1, 2, 3].");
}

std::optional<ApiError> check_prompt(const ServedModel& model, const std::vector<int32_t>& ids,
                                     const std::string& param, int64_t answer_tokens) {
  if (ids.empty()) {
    return bad_value(param, "empty (no tokens)", "a prompt of at least one token");
  }
  const int64_t vocab = model.engine->vocab_size();
  const auto wrong = std::find_if(ids.begin(), ids.end(), [vocab](int32_t id) { return id >= vocab; });
  if (wrong != ids.end()) {
    return bad_value(fmt::format("{}[{}]", param, wrong - ids.begin()), fmt::format("{}", *wrong),
                     fmt::format("a token id from 0 to {}, the model's vocabulary", vocab - 1));
  }
  const int64_t context = model.engine->context_window_size();
  if (static_cast<int64_t>(ids.size()) + answer_tokens <= context) return std::nullopt;
  ApiError e;
  e.message = fmt::format(
      "The prompt has {} tokens, but the model's context holds {} (prompt and answer together); shorten the prompt.",
      ids.size(), context);
  e.param = param;
  e.code = "context_length_exceeded";
  return e;
}

bool has_system_message(const OrderedJson& messages) {
  for (const auto& message : messages) {
    if (message["role"] == "system") return true;
  }
  return false;
}

// Calls and their results in the words of a conversation, for templates that do not know them.
void spell_out_calls(const text::ToolFormat& format, OrderedJson* messages) {
  OrderedJson out = OrderedJson::array();
  for (OrderedJson& message : *messages) {
    if (message.contains("tool_calls")) {
      std::vector<text::WrittenCall> calls;
      for (const OrderedJson& call : message["tool_calls"]) {
        calls.push_back(
            {call["function"]["name"].get<std::string>(), call["function"]["arguments"].get<std::string>()});
      }
      std::string content = message["content"].get<std::string>();
      content += (content.empty() ? "" : "\n") + text::write_calls(format, calls);
      message["content"] = std::move(content);
      message.erase("tool_calls");
    }
    if (message["role"] == "tool") {
      const std::string name = message.value("name", "a function");
      const std::string line = "Result of " + name + ": " + message["content"].get<std::string>();
      // Results of several calls are one turn of the user's: many templates insist on turns that alternate.
      if (!out.empty() && out.back().value("result", false)) {
        out.back()["content"] = out.back()["content"].get<std::string>() + "\n" + line;
        continue;
      }
      message = {{"role", "user"}, {"content", line}, {"result", true}};
    }
    out.push_back(std::move(message));
  }
  for (OrderedJson& message : out) message.erase("result");
  *messages = std::move(out);
}

void tell_of_tools(const std::string& instructions, OrderedJson* messages) {
  for (OrderedJson& message : *messages) {
    if (message["role"] != "system") continue;
    message["content"] = message["content"].get<std::string>() + "\n\n" + instructions;
    return;
  }
  messages->insert(messages->begin(), OrderedJson{{"role", "system"}, {"content", instructions}});
}

void add_tools(const ServedModel& model, const ToolRequest& tools, OrderedJson* messages,
               text::RenderOptions* options) {
  const bool shows_tools = model.chat_template->shows_tools(), shows_calls = model.chat_template->shows_calls();
  if (!shows_calls) spell_out_calls(tool_format(model), messages);
  if (!tools.offered()) return;
  if (shows_tools) {
    options->tools = tools.tools;
  } else {
    tell_of_tools(text::tool_instructions(tool_format(model), tools.tools), messages);
  }
}

}  // namespace

ApiResult<text::RenderedPrompt> render_chat(const ServedModel& model, const ChatRequest& request) {
  if (!model.chat_template) {
    return unsupported("messages",
                       "This model has no chat template; use /v1/completions, or start the server with "
                       "--chat-template FILE.");
  }
  OrderedJson messages = request.messages;
  if (!model.system_prompt.empty() && !has_system_message(messages)) {
    messages.insert(messages.begin(), OrderedJson{{"role", "system"}, {"content", model.system_prompt}});
  }
  text::RenderOptions options;
  add_tools(model, request.tools, &messages, &options);
  options.add_generation_prompt = request.add_generation_prompt;
  options.extra = request.template_kwargs;
  auto prompt = model.chat_template->render(messages, options);
  if (!prompt) return from_error(prompt.error(), "messages");
  return std::move(*prompt);
}

ApiResult<std::vector<int32_t>> encode_chat(const ServedModel& model, const ChatRequest& request, std::string* text) {
  if (!model.tokenizer) return no_tokenizer("messages");
  MLC_TRY(const text::RenderedPrompt prompt, render_chat(model, request));
  if (text) *text = prompt.text;
  auto ids = prompt.encode(*model.tokenizer);
  if (!ids) return from_error(ids.error(), "messages");
  if (auto e = check_prompt(model, *ids, "messages", 1)) return *e;
  return std::move(*ids);
}

ApiResult<std::vector<int32_t>> encode_prompt(const ServedModel& model, const Prompt& prompt, bool add_special_tokens,
                                              int64_t answer_tokens, const std::string& param) {
  std::vector<int32_t> ids;
  if (const auto* given = std::get_if<std::vector<int32_t>>(&prompt)) {
    ids = *given;
  } else {
    if (!model.tokenizer) return no_tokenizer(param);
    auto encoded = model.tokenizer->encode(std::get<std::string>(prompt), add_special_tokens);
    if (!encoded) return from_error(encoded.error(), param);
    ids = std::move(*encoded);
  }
  if (auto e = check_prompt(model, ids, param, answer_tokens)) return *e;
  return ids;
}

engine::Request make_request(const ServedModel& model, const GenerationParams& params, std::vector<int32_t> prompt) {
  engine::Request r;
  r.prompt = std::move(prompt);
  const auto& pinned = model.pinned_prefix;
  const bool begins = r.prompt.size() >= pinned.size() && std::equal(pinned.begin(), pinned.end(), r.prompt.begin());
  r.pin_tokens = begins && params.cache_salt.empty() ? static_cast<int64_t>(pinned.size()) : 0;
  r.sampling = params.sampling;
  r.num_choices = params.best_of;
  r.min_tokens = params.min_tokens;
  r.priority = params.priority;
  r.cache_salt = params.cache_salt;
  if (params.max_tokens) r.max_tokens = *params.max_tokens;
  r.stop_token_ids = params.stop_token_ids;
  r.num_logprobs = params.best_of > params.n ? std::max(0, params.num_logprobs) : params.num_logprobs;
  r.constraint = params.constraint;
  if (params.ignore_eos) return r;  // the request's own stops still hold
  const auto add = [&r](const std::vector<int32_t>& ids) {
    r.stop_token_ids.insert(r.stop_token_ids.end(), ids.begin(), ids.end());
  };
  add(model.stop_token_ids);
  if (model.chat_template) add(model.chat_template->stop_token_ids());
  return r;
}

std::optional<ApiError> compile_grammar(const ServedModel& model, GenerationParams* params) {
  if (!params->grammar) return std::nullopt;
  const RequestedGrammar& wanted = *params->grammar;
  if (!model.tokenizer) {
    return unsupported(wanted.param, fmt::format("'{}': this model was loaded without a tokenizer, which constraints "
                                                 "on the answer's text need.",
                                                 wanted.param));
  }
  const auto refuse = [&](const Error& e) {
    return unsupported(wanted.param, fmt::format("'{}' cannot be used: {}.", wanted.param, e.message));
  };
  auto grammar = text::Grammar::compile(*model.tokenizer, wanted.spec);
  if (!grammar) return refuse(grammar.error());
  const engine::Request probe = make_request(model, *params, {});
  auto constraint = engine::make_grammar_constraint(*grammar, probe.stop_token_ids);
  if (!constraint) return refuse(constraint.error());
  params->constraint = std::move(*constraint);
  return std::nullopt;
}

std::optional<ApiError> check_ids(const ServedModel& model, const GenerationParams& params) {
  const int64_t vocab = model.engine->vocab_size();
  const std::string expected = fmt::format("a token id from 0 to {}, the model's vocabulary", vocab - 1);
  for (const auto& [id, bias] : params.sampling.logit_bias) {
    if (id >= vocab) return bad_value("logit_bias", fmt::format("keyed by {}", id), expected);
  }
  for (size_t i = 0; i < params.stop_token_ids.size(); ++i) {
    const int32_t id = params.stop_token_ids[i];
    if (id >= vocab) return bad_value(fmt::format("stop_token_ids[{}]", i), fmt::format("{}", id), expected);
  }
  return std::nullopt;
}

}  // namespace mlc::protocol
