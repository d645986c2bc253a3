// POST /v1/embeddings: texts to vectors, by the model that is served.
//
//   MLC_TRY(auto answer, start_embeddings(model, body, [] { wake(); }));
//
// A vector is the final hidden state of the text's last token, or the mean over its tokens ("pooling": "mean"),
// normalized to length 1. `dimensions` keeps its first numbers and normalizes again. Models that were trained for
// embeddings say in their card which pooling is theirs; of a chat model the vectors are what they are.
#pragma once

#include "protocol/answer.h"

namespace mlc::protocol {

ApiResult<std::unique_ptr<Answer>> start_embeddings(std::shared_ptr<const ServedModel> model, const Json& body,
                                                    Generation::Notify notify);

}  // namespace mlc::protocol
