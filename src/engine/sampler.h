// From logits to a token.
//
//   Sampler sampler;                                            // holds scratch memory; one per thread
//   int32_t token = sampler.sample(logits, params, index);      // index: how many tokens the request has generated
//
// Order: temperature, top_k, top_p, min_p (engine/request.h); logit processors have run before. Among equal logits the
// lower id counts as more likely. NaN counts as -infinity; -1 if no logit is finite. No full sort: top_k and top_p
// select as many candidates as they need (vocabularies have 128k tokens).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/request.h"

namespace mlc::engine {

class Sampler {
 public:
  int32_t sample(std::span<const float> logits, const SamplingParams& params, uint64_t index);

  // The lowest id among the largest logits; -1 if none is finite.
  static int32_t argmax(std::span<const float> logits);

  // Natural log-probability of `token` under softmax(logits), with the `num_top` most likely tokens.
  TokenLogprob logprob(std::span<const float> logits, int32_t token, int num_top);

  struct Candidate {
    int32_t token;
    float logit;
    double weight;  // exp((logit - max) / temperature)
  };
  // The candidates that remain after all filters, in sampling order, unnormalized (for tests).
  std::span<const Candidate> candidates(std::span<const float> logits, const SamplingParams& params);

 private:
  void sort_prefix(size_t begin, size_t count);
  void keep_top_p(double top_p);
  std::vector<Candidate> pool_;
};

// Checks the ranges of engine/request.h; the message names the field.
Result<void> check_sampling_params(const SamplingParams& params, int64_t vocab_size);

}  // namespace mlc::engine
