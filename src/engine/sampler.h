// From logits to a token.
//
//   Sampler sampler;                                            // holds scratch memory; one per thread
//   int32_t token = sampler.sample(logits, params, index);      // index: how many tokens the request has generated
//
// Order: temperature, top_k, top_p, min_p (engine/request.h); logit processors have run before. Among equal logits the
// lower id counts as more likely. NaN counts as -infinity; -1 if no logit is finite. Linear in the vocabulary (128k
// tokens): top_k and top_p find their limit in a histogram and sort only the bucket where it lies.
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
    double weight;  // exp((logit - max) / temperature); below e^-87 it is 0 and never drawn
  };
  // The candidates that remain after all filters, unnormalized (for tests).
  std::span<const Candidate> candidates(std::span<const float> logits, const SamplingParams& params);

 private:
  void weigh(std::span<const float> logits, float max, float inverse_temperature);
  void take_all(std::span<const float> logits);
  void take_most_likely(std::span<const float> logits, int64_t count, double share);
  void keep_top_p(double share);

  std::vector<float> weights_;     // [vocab]
  std::vector<uint16_t> buckets_;  // [vocab], by weight on a logarithmic scale; 0: the most likely
  std::vector<Candidate> pool_;
};

// Checks the ranges of engine/request.h; the message names the field.
Result<void> check_sampling_params(const SamplingParams& params, int64_t vocab_size);

}  // namespace mlc::engine
