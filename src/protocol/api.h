// The two generating endpoints from body text to a running Generation: parse, choose the model, check, submit.
//
//   auto g = start_request(models, Endpoint::kChat, body, [] { wake(); });
//   if (!g) reply(g.error().status, dump(g.error().json()));
#pragma once

#include "protocol/generation.h"

namespace mlc::protocol {

enum class Endpoint { kChat, kCompletion };

ApiResult<std::unique_ptr<Generation>> start_request(const ModelList& models, Endpoint endpoint, std::string_view body,
                                                     Generation::Notify notify);

}  // namespace mlc::protocol
