#include "engine/token_chooser.h"

#include <algorithm>

namespace mlc::engine {

TokenChooser::State& TokenChooser::state(const Request& request, RequestId id, int choice, size_t vocab_size) {
  const auto [it, fresh] = states_.try_emplace({id, choice});
  State& state = it->second;
  if (!fresh) return state;
  state.sampling = request.sampling;
  state.sampling.seed += static_cast<uint64_t>(choice);
  state.processors = make_logits_processors(request);
  if (request.constraint) {
    if (!masks_) masks_ = std::make_unique<MaskWorker>(static_cast<int64_t>(vocab_size));
    state.constrained = masks_->add(request.constraint->clone());
  }
  return state;
}

void TokenChooser::prepare(const Request& request, int64_t vocab_size) {
  for (int choice = 0; choice < request.num_choices; ++choice) {
    state(request, request.id, choice, static_cast<size_t>(vocab_size));
  }
}

// Tells the grammar of the token that was chosen, takes what it forces (as much as there is room for: a grammar may
// force text without end), and has the next mask begun.
Result<void> TokenChooser::follow_grammar(const Sequence& s, State& own, RowResult& result) {
  TokenConstraint& grammar = *own.constrained->constraint;
  MLC_TRY_VOID(grammar.accept(result.token));
  const int64_t room = s.end - s.num_tokens() - 1;
  // Where log-probabilities are asked for, every token gets its own row of logits.
  while (s.request->num_logprobs < 0 && !grammar.must_stop() && std::ssize(result.forced) < room) {
    const std::vector<int32_t> forced = grammar.forced();
    if (forced.empty()) break;
    for (const int32_t token : forced) {
      if (std::ssize(result.forced) == room) break;
      MLC_TRY_VOID(grammar.accept(token));
      for (auto& p : own.processors) p->accept(token);
      result.forced.push_back(token);
    }
  }
  result.complete = grammar.must_stop();
  if (!result.complete) masks_->start(own.constrained);
  return {};
}

// Log-probabilities are the model's own, so they are of the logits before the processors change them.
RowResult TokenChooser::sample(const Sequence& s, int choice, uint64_t index, std::span<float> logits) {
  State& own = state(*s.request, s.request_id, choice, logits.size());
  const int num_logprobs = s.request->num_logprobs;
  RowResult result;
  std::span<const float> original = logits;
  const auto fail = [&](const Error& e) {
    result.error = "the grammar cannot go on: " + e.message;
    return result;
  };
  if (own.constrained) {
    if (auto ready = masks_->wait(*own.constrained); !ready) return fail(ready.error());
    result.complete = own.constrained->constraint->must_stop();  // a grammar of the empty text
    if (result.complete) return result;
  }
  if (!own.processors.empty() || own.constrained) {
    if (num_logprobs >= 0) {
      copy_.assign(logits.begin(), logits.end());
      original = copy_;
    }
    for (auto& p : own.processors) p->apply(logits);
    if (own.constrained) apply_mask(own.constrained->bits, logits);
  }
  result.token = sampler_.sample(logits, own.sampling, index);
  if (result.token < 0) {
    result.error = "the model produced no finite logits; its weights may be damaged";
    return result;
  }
  for (auto& p : own.processors) p->accept(result.token);
  if (num_logprobs >= 0) result.logprob = sampler_.logprob(original, result.token, num_logprobs);
  if (own.constrained) {
    if (auto ok = follow_grammar(s, own, result); !ok) return fail(ok.error());
  }
  return result;
}

StepResult TokenChooser::choose(const StepPlan& plan, std::span<float> logits, const Scheduler& scheduler) {
  StepResult result;
  result.rows.resize(plan.logits.size());
  const size_t vocab = plan.logits.empty() ? 0 : logits.size() / plan.logits.size();
  for (const bool constrained : {false, true}) choose(plan, logits.data(), vocab, scheduler, constrained, result);
  return result;
}

// The rows of sequences that have a grammar, or of those that have none.
void TokenChooser::choose(const StepPlan& plan, float* logits, size_t vocab, const Scheduler& scheduler,
                          bool constrained, StepResult& result) {
  std::vector<float> shared;  // the logits from which several choices start: each changes a copy
  for (size_t i = 0; i < plan.logits.size(); ++i) {
    const LogitRow& row = plan.logits[i];
    const Sequence& s = *scheduler.find(row.id);
    if ((s.request->constraint != nullptr) != constrained) continue;
    const std::span<float> own(logits + i * vocab, vocab);
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
      result.rows[i] = sample(s, s.choice, ++index, {logits + i * vocab, vocab});
    }
    while (plan.logits[i].draft >= 0) ++i;  // what follows a wrong guess counts for nothing
  }
}

}  // namespace mlc::engine
