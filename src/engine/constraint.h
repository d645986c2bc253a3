// What a grammar lets a sequence say next: the point where structured output attaches to sampling.
//
//   Request r;  r.constraint = prototype;                 // shared by the n sequences of a request; never changed
//   auto c = r.constraint->clone();                       // the state of one sequence
//   MLC_TRY_VOID(c->mask(bits));                          // while the model runs; then sample among the allowed
//   MLC_TRY_VOID(c->accept(token));
//   for (int32_t t : c->forced()) { … accept(t) … }       // jump-forward: no sampling needed
//   if (c->must_stop()) …                                 // the answer is complete
//
// One thread at a time per object; different objects may be used by different threads, clones of each other too.
// grammar_constraint.h makes one of a text::Grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace mlc::engine {

class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  virtual std::unique_ptr<TokenConstraint> clone() const = 0;
  // Which tokens are allowed next: bit i % 32 of word i / 32. `bits` has ceil(vocab / 32) words and is overwritten. The
  // tokens that stop the request are among them when may_stop(). An error means that the state became too complex or
  // that no token can follow; the sequence cannot go on.
  virtual Result<void> mask(std::span<uint32_t> bits) = 0;
  // The token that was chosen. One that the mask does not hold is an error. A stop token ends the state: must_stop().
  virtual Result<void> accept(int32_t token) = 0;
  // Tokens that must come next, in order, and that a tokenizer would make of that text; may be empty. Not accepted yet.
  // Never stop tokens.
  virtual std::vector<int32_t> forced() = 0;
  virtual bool may_stop() const = 0;   // the end is allowed now
  virtual bool must_stop() const = 0;  // nothing but the end may follow
};

// Logits of tokens that are not allowed become -infinity. bits: ceil(vocab / 32) words.
void apply_mask(std::span<const uint32_t> bits, std::span<float> logits);

}  // namespace mlc::engine
