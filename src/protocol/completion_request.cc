#include "protocol/completion_request.h"

namespace mlc::protocol {
namespace {

constexpr const char* kPromptShapes = "a string, a list of strings, a list of token ids or a list of such lists";

ApiResult<std::vector<Prompt>> parse_prompts(const Json& body) {
  const auto found = body.find("prompt");
  if (found == body.end() || found->is_null()) return bad_value("prompt", "missing", kPromptShapes);
  const Json& prompt = *found;
  std::vector<Prompt> out;
  if (prompt.is_string()) {
    out.emplace_back(prompt.get<std::string>());
    return out;
  }
  if (!prompt.is_array()) return bad_value("prompt", describe(prompt), kPromptShapes);
  if (prompt.empty()) return bad_value("prompt", "an empty list", "at least one token id or prompt");
  if (prompt[0].is_number()) {
    MLC_TRY(auto ids, token_ids(prompt, "prompt"));
    out.emplace_back(std::move(ids));
    return out;
  }
  for (size_t i = 0; i < prompt.size(); ++i) {
    const std::string where = fmt::format("prompt[{}]", i);
    const Json& one = prompt[i];
    if (one.is_string()) {
      out.emplace_back(one.get<std::string>());
    } else if (one.is_array() && !one.empty()) {
      MLC_TRY(auto ids, token_ids(one, where));
      out.emplace_back(std::move(ids));
    } else {
      return bad_value(where, describe(one), "a string or a non-empty list of token ids");
    }
  }
  return out;
}

void read_completion_only(Fields& f, CompletionRequest* r) {
  r->echo = f.boolean("echo").value_or(false);
  r->add_special_tokens = f.boolean("add_special_tokens").value_or(true);
  if (auto k = f.integer("logprobs", 0, kMaxTopLogprobs)) r->params.num_logprobs = static_cast<int>(*k);
  if (auto limit = f.integer("max_tokens", 0, INT64_MAX)) r->params.max_tokens = *limit;
  if (auto suffix = f.string("suffix"); suffix && !suffix->empty()) {
    f.fail(unsupported("suffix", "'suffix' is not supported: the model writes after a prompt, not before a suffix."));
  }
  check_limits(f, r->params);
  GenerationParams& p = r->params;
  p.best_of = static_cast<int>(f.integer("best_of", 1, kMaxChoices).value_or(p.n));
  if (p.best_of < p.n) {
    f.fail(bad_value("best_of", fmt::format("{}", p.best_of), fmt::format("at least 'n', which is {}", p.n)));
  } else if (p.best_of > p.n && p.stream) {
    f.fail(bad_value("best_of", fmt::format("{} with \"stream\": true", p.best_of),
                     "it equal to 'n': which answers are the best shows at their end"));
  }
  for (const char* name : {"tools", "functions"}) {
    const Json* tools = f.find(name);
    if (!tools || (tools->is_array() && tools->empty())) continue;
    f.fail(unsupported(name, fmt::format("'{}' belongs to chats: use /v1/chat/completions.", name)));
  }
  const size_t choices = r->prompts.size() * static_cast<size_t>(p.best_of);
  if (choices > static_cast<size_t>(kMaxChoices)) {
    f.fail(bad_value("prompt", fmt::format("{} prompts of {} choices each", r->prompts.size(), p.best_of),
                     fmt::format("at most {} choices in one request", kMaxChoices)));
  }
}

}  // namespace

ApiResult<CompletionRequest> parse_completion_request(const Json& body, const GenerationDefaults& defaults) {
  CompletionRequest request;
  MLC_TRY(request.prompts, parse_prompts(body));
  Fields f(body);
  request.params = read_generation_params(f, defaults);
  read_completion_only(f, &request);
  if (f.failed()) return f.error();
  return request;
}

}  // namespace mlc::protocol
