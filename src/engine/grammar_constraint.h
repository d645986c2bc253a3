// A TokenConstraint that follows a text::Grammar.
//
//   MLC_TRY(auto grammar, text::Grammar::compile(tokenizer, spec));
//   MLC_TRY(request.constraint, make_grammar_constraint(grammar, request.stop_token_ids));
#pragma once

#include <memory>
#include <vector>

#include "engine/constraint.h"
#include "text/grammar.h"

namespace mlc::engine {

// `stop_tokens`: what the model may say for the end; empty when it is to go on as long as the grammar allows.
Result<std::shared_ptr<const TokenConstraint>> make_grammar_constraint(const text::Grammar& grammar,
                                                                       std::vector<int32_t> stop_tokens);

}  // namespace mlc::engine
