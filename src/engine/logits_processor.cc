#include "engine/logits_processor.h"

#include <cmath>
#include <unordered_map>

namespace mlc::engine {
namespace {

class BiasProcessor : public LogitsProcessor {
 public:
  explicit BiasProcessor(const std::map<int32_t, float>& bias) : bias_(bias.begin(), bias.end()) {}
  void apply(std::span<float> logits) override {
    for (const auto& [token, bias] : bias_) logits[static_cast<size_t>(token)] += bias;
  }
  void accept(int32_t) override {}

 private:
  std::vector<std::pair<int32_t, float>> bias_;
};

// Presence and frequency count what was generated; repetition also sees the prompt.
class PenaltyProcessor : public LogitsProcessor {
 public:
  explicit PenaltyProcessor(const Request& request) : params_(request.sampling) {
    if (params_.repetition_penalty != 1.0f) {
      for (int32_t token : request.prompt) counts_.try_emplace(token, 0);
    }
  }
  void apply(std::span<float> logits) override {
    for (const auto& [token, count] : counts_) {
      float& x = logits[static_cast<size_t>(token)];
      if (count > 0) x -= params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
      x = x > 0 ? x / params_.repetition_penalty : x * params_.repetition_penalty;
    }
  }
  void accept(int32_t token) override { ++counts_[token]; }

 private:
  SamplingParams params_;
  std::unordered_map<int32_t, int> counts_;  // times generated; 0: only in the prompt
};

// Nothing that would stop the request can be chosen before min_tokens.
class MinTokensProcessor : public LogitsProcessor {
 public:
  explicit MinTokensProcessor(const Request& request) : stops_(request.stop_token_ids), left_(request.min_tokens) {}
  void apply(std::span<float> logits) override {
    if (left_ <= 0) return;
    for (int32_t token : stops_) {
      if (token >= 0 && static_cast<size_t>(token) < logits.size()) logits[static_cast<size_t>(token)] = -INFINITY;
    }
  }
  void accept(int32_t) override { --left_; }

 private:
  std::vector<int32_t> stops_;
  int64_t left_;
};

}  // namespace

std::vector<std::unique_ptr<LogitsProcessor>> make_logits_processors(const Request& request) {
  const SamplingParams& p = request.sampling;
  std::vector<std::unique_ptr<LogitsProcessor>> out;
  if (!p.logit_bias.empty()) out.push_back(std::make_unique<BiasProcessor>(p.logit_bias));
  if (p.presence_penalty != 0 || p.frequency_penalty != 0 || p.repetition_penalty != 1) {
    out.push_back(std::make_unique<PenaltyProcessor>(request));
  }
  // After the bias, which is finite: minus infinity stays.
  const bool waits = request.min_tokens > 0 && !request.ignore_eos && !request.stop_token_ids.empty();
  if (waits) out.push_back(std::make_unique<MinTokensProcessor>(request));
  return out;
}

}  // namespace mlc::engine
