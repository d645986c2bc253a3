#include "protocol/api.h"

#include "protocol/embeddings.h"
#include "protocol/messages_api.h"
#include "protocol/responses_api.h"

namespace mlc::protocol {
namespace {

using Model = std::shared_ptr<const ServedModel>;
using Grammar = std::optional<RequestedGrammar>;

// `ordered`: the body with the client's order of keys, or null.
ApiResult<std::unique_ptr<Generation>> start_chat(Model model, const Json& body, const OrderedJson* ordered,
                                                  Grammar grammar, Generation::Notify notify) {
  MLC_TRY(ChatRequest request, parse_chat_request(body, model->defaults, ordered));
  request.params.grammar = std::move(grammar);
  return Generation::start(std::move(model), request, std::move(notify));
}

ApiResult<std::unique_ptr<Generation>> start_completion(Model model, const Json& body, Grammar grammar,
                                                        Generation::Notify notify) {
  MLC_TRY(CompletionRequest request, parse_completion_request(body, model->defaults));
  request.params.grammar = std::move(grammar);
  return Generation::start(std::move(model), request, std::move(notify));
}

ApiResult<std::unique_ptr<Answer>> start_responses(Model model, const Json& body, Grammar grammar,
                                                   Generation::Notify notify) {
  MLC_TRY(const ResponsesRequest request, parse_responses_request(body));
  auto generation = start_chat(std::move(model), request.chat, nullptr, std::move(grammar), std::move(notify));
  if (!generation) return in_responses_words(generation.error());
  return make_responses_answer(std::move(*generation), request);
}

ApiResult<std::unique_ptr<Answer>> start_messages(Model model, const Json& body, Grammar grammar,
                                                  Generation::Notify notify) {
  MLC_TRY(const MessagesRequest request, parse_messages_request(body));
  MLC_TRY(auto generation, start_chat(std::move(model), request.chat, nullptr, std::move(grammar), std::move(notify)));
  return make_messages_answer(std::move(generation), request.stream);
}

// The model first: its defaults fill the fields that are left out.
ApiResult<std::string> model_name(const Json& body) {
  Fields fields(body);
  std::string name = fields.string("model").value_or("");
  if (fields.failed()) return fields.error();
  return name;
}

ApiResult<Model> find_model(const ModelList& models, const Json& body) {
  MLC_TRY(const std::string name, model_name(body));
  MLC_TRY(Model model, models.find(name));
  if (model->embeds_only) {
    return bad_value("model", fmt::format("\"{}\", which gives embeddings only", name),
                     "a model that answers with text");
  }
  return model;
}

ApiResult<std::unique_ptr<Generation>> start_generation(Model model, Endpoint endpoint, const Json& json,
                                                        std::string_view body, Generation::Notify notify) {
  MLC_TRY(Grammar grammar, read_grammar(json, body));
  if (endpoint == Endpoint::kCompletion) {
    return start_completion(std::move(model), json, std::move(grammar), std::move(notify));
  }
  // Only these fields are shown to the model in the client's order of keys.
  OrderedJson ordered;
  const bool shown = json.contains("tools") || json.contains("functions") || json.contains("chat_template_kwargs");
  if (shown) ordered = OrderedJson::parse(body);
  return start_chat(std::move(model), json, shown ? &ordered : nullptr, std::move(grammar), std::move(notify));
}

}  // namespace

ApiResult<std::unique_ptr<Generation>> start_generation(const ModelList& models, Endpoint endpoint,
                                                        std::string_view body, Generation::Notify notify) {
  MLC_CHECK(endpoint == Endpoint::kChat || endpoint == Endpoint::kCompletion, "endpoint {}",
            static_cast<int>(endpoint));
  MLC_TRY(const Json json, parse_body(body));
  MLC_TRY(Model model, find_model(models, json));
  return start_generation(std::move(model), endpoint, json, body, std::move(notify));
}

ApiResult<std::unique_ptr<Answer>> start_request(const ModelList& models, Endpoint endpoint, std::string_view body,
                                                 Generation::Notify notify) {
  MLC_TRY(const Json json, parse_body(body));
  if (endpoint == Endpoint::kEmbeddings) {
    MLC_TRY(const std::string name, model_name(json));
    MLC_TRY(Model embedder, models.find_embedder(name));
    return start_embeddings(std::move(embedder), json, std::move(notify));
  }
  MLC_TRY(Model model, find_model(models, json));
  if (endpoint == Endpoint::kResponses) {
    MLC_TRY(Grammar grammar, read_text_format(json, body));
    MLC_TRY(Grammar extension, read_grammar(json, body));
    if (grammar && extension) return bad_value(extension->param, "given together with 'text.format'", "one of them");
    if (extension) grammar = std::move(extension);
    return start_responses(std::move(model), json, std::move(grammar), std::move(notify));
  }
  if (endpoint == Endpoint::kMessages) {
    MLC_TRY(Grammar grammar, read_grammar(json, body));
    return start_messages(std::move(model), json, std::move(grammar), std::move(notify));
  }
  MLC_TRY(auto generation, start_generation(std::move(model), endpoint, json, body, std::move(notify)));
  return std::unique_ptr<Answer>(std::make_unique<GenerationAnswer>(std::move(generation)));
}

OrderedJson error_json(Endpoint endpoint, const ApiError& e) {
  return endpoint == Endpoint::kMessages ? messages_error(e) : e.json();
}

}  // namespace mlc::protocol
