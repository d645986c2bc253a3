#include "engine/token_chooser.h"

#include <algorithm>

namespace mlc::engine {

TokenChooser::State& TokenChooser::state(const Sequence& s, int choice) {
  const auto [it, fresh] = states_.try_emplace({s.request_id, choice});
  State& state = it->second;
  if (fresh) {
    state.sampling = s.request->sampling;
    state.sampling.seed += static_cast<uint64_t>(choice);
    state.processors = make_logits_processors(*s.request);
  }
  return state;
}

// Log-probabilities are the model's own, so they are of the logits before the processors change them.
RowResult TokenChooser::sample(const Sequence& s, int choice, uint64_t index, std::span<float> logits) {
  State& own = state(s, choice);
  const int num_logprobs = s.request->num_logprobs;
  RowResult result;
  std::span<const float> original = logits;
  if (!own.processors.empty()) {
    if (num_logprobs >= 0) {
      copy_.assign(logits.begin(), logits.end());
      original = copy_;
    }
    for (auto& p : own.processors) p->apply(logits);
  }
  result.token = sampler_.sample(logits, own.sampling, index);
  if (result.token < 0) {
    result.error = "the model produced no finite logits; its weights may be damaged";
    return result;
  }
  for (auto& p : own.processors) p->accept(result.token);
  if (num_logprobs >= 0) result.logprob = sampler_.logprob(original, result.token, num_logprobs);
  return result;
}

StepResult TokenChooser::choose(const StepPlan& plan, std::span<float> logits, const Scheduler& scheduler) {
  StepResult result;
  result.rows.resize(plan.logits.size());
  const size_t vocab = plan.logits.empty() ? 0 : logits.size() / plan.logits.size();
  std::vector<float> shared;  // the logits from which several choices start: each changes a copy
  for (size_t i = 0; i < plan.logits.size(); ++i) {
    const LogitRow& row = plan.logits[i];
    const Sequence& s = *scheduler.find(row.id);
    const auto own = logits.subspan(i * vocab, vocab);
    RowResult& out = result.rows[i];
    if (!row.samples) {
      out.logprob = sampler_.logprob(own, row.target, s.request->num_logprobs);
      continue;
    }
    if (!s.forks.empty()) shared.assign(own.begin(), own.end());
    auto index = static_cast<uint64_t>(s.num_generated());
    out = sample(s, s.choice, index, own);
    for (const int choice : s.forks) {
      std::copy(shared.begin(), shared.end(), own.begin());
      out.forks.push_back({choice, sample(s, choice, index, own)});
    }
    // Guesses, while they are right and do not end the text.
    while (plan.logits[i].draft >= 0) {
      const RowResult& before = result.rows[i];
      const auto& stops = s.request->stop_token_ids;
      const bool stopped = !s.request->ignore_eos && std::find(stops.begin(), stops.end(), before.token) != stops.end();
      if (before.token != plan.logits[i].draft || stopped) break;
      ++i;
      result.rows[i] = sample(s, s.choice, ++index, logits.subspan(i * vocab, vocab));
    }
    while (plan.logits[i].draft >= 0) ++i;  // what follows a wrong guess counts for nothing
  }
  return result;
}

}  // namespace mlc::engine
