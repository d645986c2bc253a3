#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "engine/fast_exp.h"
#include "engine/random.h"

namespace mlc::engine {
namespace {

constexpr size_t kNumBuckets = 4096;
constexpr float kBucketsPerUnit = 47.0f;  // 87 * 47 < 4096

bool more_likely(const Sampler::Candidate& a, const Sampler::Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

}  // namespace

int32_t Sampler::argmax(std::span<const float> logits) {
  int32_t best = -1;
  float best_logit = -INFINITY;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > best_logit) {  // false for NaN
      best_logit = logits[i];
      best = static_cast<int32_t>(i);
    }
  }
  return std::isfinite(best_logit) ? best : -1;
}

// weights_ and buckets_ of all tokens. The inner loop has a fixed length and no branches, for the vectorizer.
void Sampler::weigh(std::span<const float> logits, float max, float inverse_temperature) {
  constexpr size_t kBlock = 64;
  weights_.resize(logits.size());
  buckets_.resize(logits.size());
  auto one = [&](size_t i) {
    const float distance = (logits[i] - max) * inverse_temperature;
    weights_[i] = exp_of_negative(distance);
    const float clamped = distance >= -87.0f ? distance : -87.0f;
    buckets_[i] = static_cast<uint16_t>(static_cast<int32_t>(clamped * -kBucketsPerUnit));
  };
  size_t i = 0;
  for (; i + kBlock <= logits.size(); i += kBlock) {
    for (size_t k = 0; k < kBlock; ++k) one(i + k);
  }
  for (; i < logits.size(); ++i) one(i);
}

void Sampler::take_all(std::span<const float> logits) {
  for (size_t i = 0; i < logits.size(); ++i) {
    if (weights_[i] > 0) pool_.push_back({static_cast<int32_t>(i), logits[i], static_cast<double>(weights_[i])});
  }
}

// The fewest most likely tokens that are `count` in number or have `share` of all weight.
void Sampler::take_most_likely(std::span<const float> logits, int64_t count, double share) {
  std::array<double, kNumBuckets> weight{};
  std::array<int64_t, kNumBuckets> number{};
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    weight[buckets_[i]] += static_cast<double>(weights_[i]);
    number[buckets_[i]] += weights_[i] > 0;
    total += static_cast<double>(weights_[i]);
  }
  size_t limit = 0;  // the bucket in which the last token taken lies
  double sum = 0;
  for (; limit + 1 < kNumBuckets; ++limit) {
    if (number[limit] >= count || sum + weight[limit] >= share * total) break;
    count -= number[limit];
    sum += weight[limit];
  }
  std::vector<Candidate> last;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (buckets_[i] > limit || weights_[i] <= 0) continue;
    const Candidate c{static_cast<int32_t>(i), logits[i], static_cast<double>(weights_[i])};
    (buckets_[i] < limit ? pool_ : last).push_back(c);
  }
  std::sort(last.begin(), last.end(), more_likely);
  for (const Candidate& c : last) {
    pool_.push_back(c);
    sum += c.weight;
    if (--count == 0 || sum >= share * total) return;
  }
}

void Sampler::keep_top_p(double share) {
  std::sort(pool_.begin(), pool_.end(), more_likely);
  double total = 0, sum = 0;
  for (const Candidate& c : pool_) total += c.weight;
  for (size_t i = 0; i < pool_.size(); ++i) {
    sum += pool_[i].weight;
    if (sum >= share * total) return pool_.resize(i + 1);
  }
}

std::span<const Sampler::Candidate> Sampler::candidates(std::span<const float> logits, const SamplingParams& params) {
  pool_.clear();
  const int32_t best = argmax(logits);
  if (best < 0) return {};
  weigh(logits, logits[static_cast<size_t>(best)], 1.0f / params.temperature);
  const auto share = static_cast<double>(params.top_p);
  if (params.top_k > 0) {
    take_most_likely(logits, params.top_k, 2.0);
    if (share < 1) keep_top_p(share);
  } else if (share < 1) {
    take_most_likely(logits, static_cast<int64_t>(logits.size()) + 1, share);
  } else {
    take_all(logits);
  }
  const auto floor = static_cast<double>(params.min_p);
  std::erase_if(pool_, [floor](const Candidate& c) { return c.weight < floor; });
  return pool_;
}

int32_t Sampler::sample(std::span<const float> logits, const SamplingParams& params, uint64_t index) {
  if (params.temperature <= 0.0f || params.top_p <= 0.0f || params.top_k == 1) return argmax(logits);
  const auto pool = candidates(logits, params);
  if (pool.empty()) return -1;
  double total = 0;
  for (const Candidate& c : pool) total += c.weight;
  double left = random_uniform(params.seed, index) * total;
  for (const Candidate& c : pool) {
    if (left < c.weight) return c.token;
    left -= c.weight;
  }
  return pool.back().token;  // rounding
}

TokenLogprob Sampler::logprob(std::span<const float> logits, int32_t token, int num_top) {
  MLC_CHECK(token >= 0 && static_cast<size_t>(token) < logits.size(), "token {} of {}", token, logits.size());
  TokenLogprob out;
  out.token = token;
  const int32_t best = argmax(logits);
  const double max = best < 0 ? 0.0 : static_cast<double>(logits[static_cast<size_t>(best)]);
  double sum = 0;
  for (float x : logits) sum += static_cast<double>(exp_of_negative(x - static_cast<float>(max)));
  const double log_sum = max + std::log(sum);
  auto value = [&](float x) { return static_cast<float>(static_cast<double>(x) - log_sum); };
  out.logprob = value(logits[static_cast<size_t>(token)]);
  if (num_top <= 0) return out;
  const auto n = std::min(static_cast<size_t>(num_top), logits.size());
  // A small sorted list beats a selection over a copy: n is at most 20.
  std::vector<Candidate> top;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || (top.size() == n && logits[i] <= top.back().logit)) continue;
    const Candidate c{static_cast<int32_t>(i), logits[i], 0};
    top.insert(std::upper_bound(top.begin(), top.end(), c, more_likely), c);
    if (top.size() > n) top.pop_back();
  }
  for (const Candidate& c : top) out.top.emplace_back(c.token, value(c.logit));
  return out;
}

Result<void> check_sampling_params(const SamplingParams& p, int64_t vocab_size) {
  auto in = [](float x, float min, float max) { return x >= min && x <= max; };  // false for NaN
  if (!in(p.temperature, 0, 2)) return error("temperature is {}; expected 0 to 2", p.temperature);
  if (!in(p.top_p, 0, 1)) return error("top_p is {}; expected 0 to 1", p.top_p);
  if (!in(p.min_p, 0, 1)) return error("min_p is {}; expected 0 to 1", p.min_p);
  if (p.top_k < 0) return error("top_k is {}; expected 0 (no limit) or more", p.top_k);
  if (!(p.repetition_penalty > 0) || !std::isfinite(p.repetition_penalty)) {
    return error("repetition_penalty is {}; expected more than 0", p.repetition_penalty);
  }
  if (!in(p.presence_penalty, -2, 2)) return error("presence_penalty is {}; expected -2 to 2", p.presence_penalty);
  if (!in(p.frequency_penalty, -2, 2)) return error("frequency_penalty is {}; expected -2 to 2", p.frequency_penalty);
  for (const auto& [token, bias] : p.logit_bias) {
    if (token < 0 || token >= vocab_size) {
      return error("logit_bias names token {}; the model has tokens 0 to {}", token, vocab_size - 1);
    }
    if (!in(bias, -100, 100)) return error("logit_bias of token {} is {}; expected -100 to 100", token, bias);
  }
  return {};
}

}  // namespace mlc::engine
