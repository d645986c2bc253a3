#include "protocol/api.h"

namespace mlc::protocol {

ApiResult<std::unique_ptr<Generation>> start_request(const ModelList& models, Endpoint endpoint, std::string_view body,
                                                     Generation::Notify notify) {
  MLC_TRY(const Json json, parse_body(body));
  // The model first: its defaults fill the fields that are left out.
  Fields fields(json);
  const std::string name = fields.string("model").value_or("");
  if (fields.failed()) return fields.error();
  MLC_TRY(auto model, models.find(name));
  if (endpoint == Endpoint::kChat) {
    MLC_TRY(const ChatRequest request, parse_chat_request(json, model->defaults));
    return Generation::start(std::move(model), request, std::move(notify));
  }
  MLC_TRY(const CompletionRequest request, parse_completion_request(json, model->defaults));
  return Generation::start(std::move(model), request, std::move(notify));
}

}  // namespace mlc::protocol
