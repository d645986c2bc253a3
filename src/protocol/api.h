// The generating endpoints from body text to a running Answer: parse, choose the model, check, submit.
//
//   auto answer = start_request(models, Endpoint::kChat, body, [] { wake(); });
//   if (!answer) reply(answer.error().status, dump(error_json(Endpoint::kChat, answer.error())));
#pragma once

#include "protocol/answer.h"

namespace mlc::protocol {

enum class Endpoint { kChat, kCompletion, kResponses, kMessages, kEmbeddings };

ApiResult<std::unique_ptr<Answer>> start_request(const ModelList& models, Endpoint endpoint, std::string_view body,
                                                 Generation::Notify notify);
// The same for kChat and kCompletion, as JSON values instead of text: for callers in this process.
ApiResult<std::unique_ptr<Generation>> start_generation(const ModelList& models, Endpoint endpoint,
                                                        std::string_view body, Generation::Notify notify);
// The error in the shape that clients of this endpoint expect.
OrderedJson error_json(Endpoint endpoint, const ApiError& e);

}  // namespace mlc::protocol
