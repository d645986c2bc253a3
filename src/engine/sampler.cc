#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/random.h"

namespace mlc::engine {
namespace {

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

// Brings the `count` most likely of pool_[begin …] to its front, in order.
void Sampler::sort_prefix(size_t begin, size_t count) {
  const auto first = pool_.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto middle = first + static_cast<std::ptrdiff_t>(std::min(count, pool_.size() - begin));
  if (middle != pool_.end()) std::nth_element(first, middle, pool_.end(), more_likely);
  std::sort(first, middle, more_likely);
}

// Keeps the smallest prefix whose weight reaches top_p of the whole.
void Sampler::keep_top_p(double top_p) {
  double total = 0;
  for (const Candidate& c : pool_) total += c.weight;
  double sum = 0;
  size_t sorted = 0;
  for (size_t i = 0; i < pool_.size(); ++i) {
    if (i == sorted) {
      const size_t more = std::max<size_t>(64, sorted * 3);
      sort_prefix(sorted, more);
      sorted = std::min(pool_.size(), sorted + more);
    }
    sum += pool_[i].weight;
    if (sum >= top_p * total) return pool_.resize(i + 1);
  }
}

std::span<const Sampler::Candidate> Sampler::candidates(std::span<const float> logits, const SamplingParams& params) {
  pool_.clear();
  const int32_t best = argmax(logits);
  if (best < 0) return {};
  const float max = logits[static_cast<size_t>(best)];
  // A weight below 2^-1000 of the largest can never be drawn; min_p's threshold is known beforehand too.
  const double scale = 1.0 / static_cast<double>(params.temperature);
  const double floor = std::max(static_cast<double>(params.min_p), 0x1p-1000);
  for (size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp((static_cast<double>(logits[i]) - static_cast<double>(max)) * scale);
    if (weight >= 0x1p-1000) pool_.push_back({static_cast<int32_t>(i), logits[i], weight});
  }
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < pool_.size()) {
    sort_prefix(0, static_cast<size_t>(params.top_k));
    pool_.resize(static_cast<size_t>(params.top_k));
  }
  if (params.top_p < 1.0f) keep_top_p(static_cast<double>(params.top_p));
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
  for (float x : logits) sum += std::isnan(x) ? 0.0 : std::exp(static_cast<double>(x) - max);
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
