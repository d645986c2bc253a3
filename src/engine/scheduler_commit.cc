// The second half of a step: what its results mean for the sequences.
#include <algorithm>

#include "base/check.h"
#include "engine/scheduler.h"

namespace mlc::engine {

void Scheduler::describe(const Sequence& s, FinishReason reason, Output& out) const {
  out.id = s.request_id;
  out.choice = s.choice;
  out.finish_reason = reason;
  out.cached_prompt_tokens = s.num_cached;
  if (reason == FinishReason::kNone) return;
  out.prompt_tokens = s.num_prompt();
  out.completion_tokens = s.num_generated();
}

// Fills the counts of the last output and forgets the sequence.
void Scheduler::finish(Sequence& s, FinishReason reason, Output& out) {
  describe(s, reason, out);
  kv_.retire(s.table);
  std::erase(running_, &s);
  waiting_.erase(&s);
  const auto request = by_request_.find(s.request_id);
  std::erase(request->second, &s);
  if (request->second.empty()) by_request_.erase(request);
  const SequenceId id = s.id;  // not a reference into what is erased
  sequences_.erase(id);
  if (config_.draft.max_length > 0) ended_.push_back(id);
}

// With the choices that have not parted from it.
void Scheduler::finish_all(Sequence& s, FinishReason reason, const std::string& message, std::vector<Output>& outputs) {
  const int own = s.choice;
  std::vector<int> choices = s.forks;
  choices.insert(choices.begin(), own);
  for (const int choice : choices) {
    s.choice = choice;
    outputs.emplace_back().error = message;
    describe(s, reason, outputs.back());
  }
  s.choice = own;
  Output told;
  finish(s, reason, told);
}

std::vector<Output> Scheduler::cancel(RequestId id) {
  std::vector<Output> outputs;
  const auto found = by_request_.find(id);
  if (found == by_request_.end()) return outputs;
  const std::vector<Sequence*> list = found->second;
  for (Sequence* s : list) finish_all(*s, FinishReason::kCancelled, "", outputs);
  return outputs;
}

std::vector<Output> Scheduler::cancel(RequestId id, int choice) {
  std::vector<Output> outputs;
  const auto found = by_request_.find(id);
  if (found == by_request_.end()) return outputs;
  for (Sequence* s : found->second) {
    const auto fork = std::find(s->forks.begin(), s->forks.end(), choice);
    if (s->choice != choice && fork == s->forks.end()) continue;
    if (s->forks.empty()) {
      finish(*s, FinishReason::kCancelled, outputs.emplace_back());
      return outputs;
    }
    // The prompt is still computed for the others.
    const int own = s->choice;
    s->choice = choice;
    describe(*s, FinishReason::kCancelled, outputs.emplace_back());
    s->choice = own;
    const bool waits = waiting_.erase(s) > 0;  // the order depends on the choice
    if (fork == s->forks.end()) {
      s->choice = s->forks.front();
      s->forks.erase(s->forks.begin());
    } else {
      s->forks.erase(fork);
    }
    if (waits) waiting_.insert(s);
    return outputs;
  }
  return outputs;
}

std::vector<Output> Scheduler::fail_all(const std::string& message) {
  std::vector<Sequence*> all(running_);
  all.insert(all.end(), waiting_.begin(), waiting_.end());
  std::vector<Output> outputs;
  for (Sequence* s : all) finish_all(*s, FinishReason::kError, message, outputs);
  kv_.forget_prefixes();
  return outputs;
}

std::vector<Output> Scheduler::commit(const StepPlan& plan, const StepResult& result) {
  MLC_CHECK(result.rows.size() == plan.logits.size(), "{} results for {} logit rows", result.rows.size(),
            plan.logits.size());
  std::vector<Output> outputs;
  size_t row = 0;
  for (const Chunk& chunk : plan.chunks) {
    const size_t first = row;
    while (row < plan.logits.size() && plan.logits[row].id == chunk.id) ++row;
    const auto it = sequences_.find(chunk.id);
    if (it == sequences_.end()) continue;  // cancelled since it was planned
    commit_chunk(*it->second, chunk, std::span(plan.logits).subspan(first, row - first),
                 std::span(result.rows).subspan(first, row - first), outputs);
  }
  return outputs;
}

// Appends a chosen token, or finds that it ends the sequence.
FinishReason Scheduler::take(Sequence& s, const RowResult& result, Output& out) {
  if (!result.error.empty()) {
    out.error = result.error;
    return FinishReason::kError;
  }
  if (result.token < 0 && result.complete) return FinishReason::kStop;
  const auto& stops = s.request->stop_token_ids;
  if (!s.request->ignore_eos && std::find(stops.begin(), stops.end(), result.token) != stops.end()) {
    return FinishReason::kStop;
  }
  s.tokens.push_back(result.token);
  out.tokens.push_back(result.token);
  if (result.logprob) out.logprobs.push_back(*result.logprob);
  // Forced tokens are computed in the next step, as a chunk.
  const int64_t room = std::max<int64_t>(0, s.end - s.num_tokens());
  const auto forced = std::span(result.forced).first(static_cast<size_t>(std::min(room, std::ssize(result.forced))));
  s.tokens.insert(s.tokens.end(), forced.begin(), forced.end());
  out.tokens.insert(out.tokens.end(), forced.begin(), forced.end());
  if (result.complete && forced.size() == result.forced.size()) return FinishReason::kStop;
  return s.num_tokens() >= s.end ? FinishReason::kLength : FinishReason::kNone;
}

void Scheduler::commit_chunk(Sequence& s, const Chunk& chunk, std::span<const LogitRow> rows,
                             std::span<const RowResult> results, std::vector<Output>& outputs) {
  Output out;
  FinishReason reason = FinishReason::kNone;
  int64_t accepted = 0;
  const std::vector<RowResult::Fork>* forks = nullptr;
  for (size_t i = 0; i < rows.size() && reason == FinishReason::kNone; ++i) {
    if (!rows[i].samples) {
      if (!results[i].error.empty()) {
        out.error = results[i].error;
        reason = FinishReason::kError;
      } else if (results[i].logprob) {
        out.prompt_logprobs.push_back(*results[i].logprob);
      }
      ++s.num_scored;
      continue;
    }
    reason = take(s, results[i], out);
    forks = &results[i].forks;
    if (rows[i].draft < 0 || results[i].token != rows[i].draft) break;
    if (reason != FinishReason::kStop) ++accepted;
  }
  const bool had_prompt = s.num_computed >= s.num_prompt();
  s.num_computed += chunk.num_rows - chunk.num_drafts + accepted;
  s.num_computed = std::min(s.num_computed, s.num_tokens());
  kv_.remember(s.table, s.tokens, s.num_computed, s.request->cache_salt);
  kv_.shrink(s.table, s.num_computed);
  if (s.request->pin_tokens > 0 && !had_prompt && s.num_computed >= s.num_prompt()) {
    const auto pinned = static_cast<size_t>(std::clamp<int64_t>(s.request->pin_tokens, 0, s.num_prompt()));
    kv_.pin(std::span(s.request->prompt).first(pinned), s.request->cache_salt);
  }
  if (chunk.num_drafts > 0) {
    s.draft_length.record(chunk.num_drafts, accepted);
    draft_counts_.steps += 1;
    draft_counts_.drafted += chunk.num_drafts;
    draft_counts_.accepted += accepted;
    for (int64_t i = 0; i < accepted; ++i) ++draft_counts_.accepted_at[static_cast<size_t>(i)];
  }
  if (s.num_computed >= s.end && reason == FinishReason::kNone) {
    // Nothing is generated, by none of its choices: it ends when its prompt is computed.
    const size_t first = outputs.size();
    finish_all(s, FinishReason::kLength, "", outputs);
    outputs[first].prompt_logprobs = std::move(out.prompt_logprobs);
    return;
  }
  std::vector<Output> others;
  if (forks != nullptr && !s.forks.empty()) fork(s, *forks, others);
  if (reason != FinishReason::kNone) {
    finish(s, reason, out);
  } else {
    describe(s, reason, out);
  }
  const bool tells = !out.tokens.empty() || !out.prompt_logprobs.empty() || reason != FinishReason::kNone;
  if (tells) outputs.push_back(std::move(out));
  std::move(others.begin(), others.end(), std::back_inserter(outputs));
}

// The prompt is computed: each other choice goes on by itself, from the same pages. What does not fit into a step waits
// (and finds the full pages again by their tokens).
void Scheduler::fork(Sequence& s, const std::vector<RowResult::Fork>& forks, std::vector<Output>& outputs) {
  s.forks.clear();
  for (const RowResult::Fork& f : forks) {
    Sequence& child = new_sequence(s.request_id, s.request, f.choice, s.arrival);
    child.num_scored = s.num_scored;
    child.num_cached = s.num_cached;
    child.started = true;
    Output& out = outputs.emplace_back();
    const FinishReason reason = take(child, f.first, out);
    if (reason != FinishReason::kNone) {
      finish(child, reason, out);
      continue;
    }
    describe(child, reason, out);
    if (slots_taken() < config_.max_sequences) {
      child.num_computed = s.num_prompt();
      child.table = kv_.fork(s.table);
      run_now(child);
    } else {
      waiting_.insert(&child);
    }
  }
}

}  // namespace mlc::engine
