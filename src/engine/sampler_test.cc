#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "engine/fast_exp.h"
#include "engine/logits_processor.h"
#include "engine/random.h"

namespace mlc::engine {
namespace {

std::vector<float> random_logits(size_t n, uint64_t seed) {
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<float>(random_uniform(seed, i) * 10 - 5);
  return out;
}

// The definition, with a full sort and no tricks: probability per token.
std::vector<double> reference(const std::vector<float>& logits, const SamplingParams& p) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)]; });
  if (p.top_k > 0 && static_cast<size_t>(p.top_k) < order.size()) order.resize(static_cast<size_t>(p.top_k));
  std::vector<double> weight;
  for (int t : order) weight.push_back(std::exp(static_cast<double>(logits[static_cast<size_t>(t)]) / p.temperature));
  auto normalize = [&] {
    const double sum = std::accumulate(weight.begin(), weight.end(), 0.0);
    for (double& w : weight) w /= sum;
  };
  normalize();
  double cumulative = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    cumulative += weight[i];
    if (p.top_p < 1 && cumulative >= static_cast<double>(p.top_p)) {
      weight.resize(i + 1);
      break;
    }
  }
  for (size_t i = 1; i < weight.size(); ++i) {
    if (weight[i] < weight[0] * static_cast<double>(p.min_p)) {
      weight.resize(i);
      break;
    }
  }
  normalize();
  std::vector<double> out(logits.size(), 0);
  for (size_t i = 0; i < weight.size(); ++i) out[static_cast<size_t>(order[i])] = weight[i];
  return out;
}

TEST(Sampler, FastExpIsAccurate) {
  for (float x = 0; x >= -87; x -= 0.0037f) {
    const double exact = std::exp(static_cast<double>(x));
    ASSERT_NEAR(static_cast<double>(exp_of_negative(x)) / exact, 1.0, 3e-7) << x;
  }
  EXPECT_EQ(exp_of_negative(0), 1.0f);
  EXPECT_EQ(exp_of_negative(-88), 0.0f);
  EXPECT_EQ(exp_of_negative(-INFINITY), 0.0f);
  EXPECT_EQ(exp_of_negative(NAN), 0.0f);
}

TEST(Sampler, CandidatesEqualTheDefinition) {
  Sampler sampler;
  std::mt19937 rng(1);
  for (int round = 0; round < 300; ++round) {
    auto logits = random_logits(1 + rng() % 500, static_cast<uint64_t>(round));
    SamplingParams p;
    p.temperature = 0.1f + static_cast<float>(rng() % 19) * 0.1f;
    if (rng() % 2) p.top_k = static_cast<int>(1 + rng() % 60);
    if (rng() % 2) p.top_p = 0.05f + static_cast<float>(rng() % 19) * 0.05f;
    if (rng() % 2) p.min_p = static_cast<float>(rng() % 10) * 0.05f;
    const auto expected = reference(logits, p);
    double total = 0;
    std::vector<double> got(logits.size(), 0);
    for (const auto& c : sampler.candidates(logits, p)) total += c.weight;
    for (const auto& c : sampler.candidates(logits, p)) got[static_cast<size_t>(c.token)] = c.weight / total;
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], 2e-6) << "round " << round << " token " << i;
  }
}

TEST(Sampler, FrequenciesFollowTheDistribution) {
  Sampler sampler;
  const auto logits = random_logits(20, 42);
  SamplingParams p;
  p.temperature = 1.5f;
  p.top_p = 0.9f;
  p.seed = 7;
  const auto expected = reference(logits, p);
  std::vector<int> counts(20, 0);
  const int n = 40000;
  for (int i = 0; i < n; ++i) ++counts[static_cast<size_t>(sampler.sample(logits, p, static_cast<uint64_t>(i)))];
  double chi2 = 0;
  int kinds = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (expected[i] == 0) {
      EXPECT_EQ(counts[i], 0);
      continue;
    }
    chi2 += (counts[i] - n * expected[i]) * (counts[i] - n * expected[i]) / (n * expected[i]);
    ++kinds;
  }
  EXPECT_LT(chi2, kinds + 6 * std::sqrt(2.0 * kinds));
}

TEST(Sampler, GreedyTakesTheLowestIdOfTies) {
  Sampler sampler;
  SamplingParams p;
  p.temperature = 0;
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3, 2}, p, 0), 1);
  p.temperature = 1;
  p.top_p = 0;
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3, 2}, p, 0), 1);
  p.top_p = 1;
  p.top_k = 1;
  for (uint64_t i = 0; i < 20; ++i) EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3, 2}, p, i), 1);
}

TEST(Sampler, HandlesNonFinite) {
  Sampler sampler;
  SamplingParams p;
  EXPECT_EQ(sampler.sample(std::vector<float>{NAN, -INFINITY, NAN}, p, 0), -1);
  for (uint64_t i = 0; i < 50; ++i) EXPECT_EQ(sampler.sample(std::vector<float>{NAN, 0.5f, -INFINITY}, p, i), 1);
  p.temperature = 0;
  EXPECT_EQ(sampler.sample(std::vector<float>{NAN, 0.5f, -INFINITY}, p, 0), 1);
}

TEST(Sampler, DependsOnSeedAndIndexOnly) {
  const auto logits = random_logits(1000, 3);
  SamplingParams p;
  p.seed = 5;
  Sampler a, b;
  std::vector<int32_t> first, second;
  for (uint64_t i = 0; i < 50; ++i) first.push_back(a.sample(logits, p, i));
  for (uint64_t i = 50; i-- > 0;) second.insert(second.begin(), b.sample(logits, p, i));
  EXPECT_EQ(first, second);
  p.seed = 6;
  std::vector<int32_t> other;
  for (uint64_t i = 0; i < 50; ++i) other.push_back(a.sample(logits, p, i));
  EXPECT_NE(first, other);
}

TEST(Sampler, LogprobsAreTheModels) {
  Sampler sampler;
  const auto logits = random_logits(300, 9);
  double sum = 0;
  for (float x : logits) sum += std::exp(static_cast<double>(x));
  const TokenLogprob lp = sampler.logprob(logits, 17, 5);
  EXPECT_EQ(lp.token, 17);
  EXPECT_NEAR(lp.logprob, static_cast<double>(logits[17]) - std::log(sum), 1e-5);
  ASSERT_EQ(lp.top.size(), 5u);
  EXPECT_EQ(lp.top[0].first, Sampler::argmax(logits));
  for (size_t i = 1; i < 5; ++i) EXPECT_GE(lp.top[i - 1].second, lp.top[i].second);
  const TokenLogprob ties = sampler.logprob(std::vector<float>{2, 2, 2, 1}, 3, 2);
  EXPECT_EQ(ties.top[0].first, 0);
  EXPECT_EQ(ties.top[1].first, 1);
}

std::vector<float> process(const Request& r, std::vector<float> logits, const std::vector<int32_t>& generated) {
  auto processors = make_logits_processors(r);
  for (int32_t t : generated) {
    for (auto& p : processors) p->accept(t);
  }
  for (auto& p : processors) p->apply(logits);
  return logits;
}

TEST(LogitsProcessor, EachPenalty) {
  Request none;
  none.prompt = {0};
  EXPECT_TRUE(make_logits_processors(none).empty());
  Request r = none;
  r.sampling.logit_bias = {{2, -100.0f}, {3, 1.5f}};
  EXPECT_EQ(process(r, {1, 1, 1, 1}, {}), (std::vector<float>{1, 1, -99, 2.5f}));
  r = none;
  r.sampling.presence_penalty = 0.5f;
  EXPECT_EQ(process(r, {1, 1, 1, 1}, {1, 1, 3}), (std::vector<float>{1, 0.5f, 1, 0.5f}));  // not the prompt's token 0
  r = none;
  r.sampling.frequency_penalty = 0.25f;
  EXPECT_EQ(process(r, {1, 1, 1, 1}, {1, 1, 3}), (std::vector<float>{1, 0.5f, 1, 0.75f}));
  r = none;
  r.sampling.repetition_penalty = 2;
  EXPECT_EQ(process(r, {4, -4, 4, 4}, {1}), (std::vector<float>{2, -8, 4, 4}));  // the prompt's token 0 counts
  r.sampling.logit_bias = {{1, 6.0f}};
  r.sampling.presence_penalty = 1;
  EXPECT_EQ(process(r, {4, -4, 4, 4}, {1}), (std::vector<float>{2, 0.5f, 4, 4}));  // (-4 + 6 - 1) / 2
}

TEST(Sampler, ChecksRanges) {
  auto message = [](auto change) {
    SamplingParams p;
    change(p);
    auto r = check_sampling_params(p, 10);
    return r ? std::string("accepted") : r.error().message;
  };
  EXPECT_EQ(message([](auto&) {}), "accepted");
  EXPECT_NE(message([](auto& p) { p.temperature = NAN; }).find("temperature"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.temperature = 2.5f; }).find("temperature"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.top_p = -0.1f; }).find("top_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.top_k = -1; }).find("top_k"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.min_p = 1.1f; }).find("min_p"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.repetition_penalty = 0; }).find("repetition_penalty"), std::string::npos);
  EXPECT_NE(message([](auto& p) { p.logit_bias = {{10, 1.0f}}; }).find("token 10"), std::string::npos);
}

}  // namespace
}  // namespace mlc::engine
