// A smaller model that guesses what the served one will say.
//
//   MLC_TRY(auto source, make_model_draft(std::move(runner), options));   // runner: of the small model
//
// It rolls the same dice: a token is drawn from its own logits with the request's parameters and the random number that
// the served model will use for that position, so the better it knows the distribution, the more of its guesses are the
// served model's own draws. It keeps a KV cache of its own, in which it follows each sequence's tokens (a prompt in
// chunks of one step per call, so that a long one does not hold up the others).
#pragma once

#include <memory>

#include "base/result.h"
#include "engine/draft.h"
#include "engine/model_runner.h"

namespace mlc::engine {

struct ModelDraftOptions {
  int64_t max_sequences = 8;   // whose tokens its cache is to hold
  int64_t context_window = 0;  // of the served model: no sequence gets longer
  int64_t vocab_size = 0;      // of the served model: tokens must mean the same
};

// Refuses a model with another vocabulary. kUnavailable: no memory for its cache.
Result<std::unique_ptr<DraftSource>> make_model_draft(std::unique_ptr<ModelRunner> runner,
                                                      const ModelDraftOptions& options);

}  // namespace mlc::engine
