#include "engine/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace mlc::engine {

void StepPlan::clear() {
  for (auto* v : {&token_ids, &positions, &slots, &table_start, &block_tables, &logit_rows}) v->clear();
  logits.clear();
  chunks.clear();
}

Scheduler::Scheduler(const SchedulerConfig& config)
    : config_(config), kv_(config.num_pages, config.page_size, config.reuse_prefixes) {
  MLC_CHECK(config.max_rows > 0 && config.max_logit_rows > 0 && config.max_sequences > 0, "empty step");
  // Every running sequence must be able to get its one row in every step, or some would starve.
  config_.max_sequences = std::min({config.max_sequences, config.max_rows, config.max_logit_rows});
  MLC_CHECK(kv_.pages_for(config.context_window) <= config.num_pages,
            "a sequence of {} tokens does not fit into {} pages", config.context_window, config.num_pages);
}

void Scheduler::add(RequestId id, std::shared_ptr<const Request> request) {
  auto s = std::make_unique<Sequence>();
  s->id = id;
  s->request = std::move(request);
  s->tokens = s->request->prompt;
  const int64_t room = config_.context_window - s->num_prompt();
  MLC_CHECK(!s->tokens.empty() && room >= 0, "prompt of {} tokens, context {}", s->num_prompt(),
            config_.context_window);
  s->end = s->num_prompt() + std::min(room, s->request->max_tokens);
  waiting_.push_back(s.get());
  const bool inserted = sequences_.emplace(id, std::move(s)).second;
  MLC_CHECK(inserted, "request {} was added twice", id);
}

const Sequence* Scheduler::find(RequestId id) const {
  auto it = sequences_.find(id);
  return it == sequences_.end() ? nullptr : it->second.get();
}

std::optional<Output> Scheduler::cancel(RequestId id) {
  auto it = sequences_.find(id);
  if (it == sequences_.end()) return std::nullopt;
  Output out;
  finish(*it->second, FinishReason::kCancelled, out);
  return out;
}

std::vector<Output> Scheduler::fail_all(const std::string& message) {
  kv_.forget_prefixes();
  std::vector<Sequence*> all(running_);
  all.insert(all.end(), waiting_.begin(), waiting_.end());
  std::vector<Output> outputs;
  for (Sequence* s : all) {
    outputs.emplace_back();
    outputs.back().error = message;
    finish(*s, FinishReason::kError, outputs.back());
  }
  return outputs;
}

// Fills the counts of the last output and forgets the sequence.
void Scheduler::finish(Sequence& s, FinishReason reason, Output& out) {
  out.id = s.id;
  out.finish_reason = reason;
  out.prompt_tokens = s.num_prompt();
  out.completion_tokens = s.num_generated();
  out.cached_prompt_tokens = s.num_cached;
  kv_.release(s.table);
  std::erase(running_, &s);
  std::erase(waiting_, &s);
  const RequestId id = s.id;  // not a reference into what is erased
  sequences_.erase(id);
}

// Row p gives the distribution of token p + 1. It is wanted for prompt tokens not yet scored, and for the token after
// the last one if there is to be another.
int64_t Scheduler::logits_needed(const Sequence& s, int64_t rows) const {
  const int64_t stop = s.num_computed + rows;
  int64_t needed = stop == s.num_tokens() && s.num_tokens() < s.end ? 1 : 0;
  if (s.request->prompt_logprobs) {
    const int64_t first = std::max(s.num_computed, s.num_scored);
    needed += std::max<int64_t>(0, std::min(stop, s.num_prompt() - 1) - first);
  }
  return needed;
}

int64_t Scheduler::chunk_size(const Sequence& s, const Budget& budget) const {
  int64_t n = std::min(s.remaining(), budget.rows);
  while (n > 0 && logits_needed(s, n) > budget.logits) --n;
  return n;
}

// Gives back the newest sequence's pages, and its part of the step if it has one.
void Scheduler::preempt_newest(Budget& budget) {
  Sequence& s = *running_.back();
  budget.rows += s.planned;
  budget.logits += logits_needed(s, s.planned);
  s.planned = 0;
  s.num_computed = 0;
  kv_.release(s.table);
  running_.pop_back();
  waiting_.push_front(&s);
  ++num_preemptions_;
}

void Scheduler::schedule(Sequence& s, Budget& budget) {
  const int64_t n = chunk_size(s, budget);
  if (n == 0) return;
  while (!kv_.grow(s.table, s.num_computed + n)) {
    const bool itself = running_.back() == &s;
    MLC_CHECK(!itself || running_.size() > 1, "the only sequence ({} tokens) does not fit", s.num_tokens());
    preempt_newest(budget);
    if (itself) return;
  }
  budget.rows -= n;
  budget.logits -= logits_needed(s, n);
  s.planned = n;
}

// Prompt tokens that are to be scored need their logits, so they must be computed.
void Scheduler::attach_prefix(Sequence& s) {
  if (s.request->prompt_logprobs && s.num_scored + 1 < s.num_prompt()) return;
  s.num_computed = kv_.attach(s.table, s.tokens);
}

// Lets waiting sequences in while everything that is known of them, and of those that run, will have pages.
void Scheduler::admit(Budget& budget) {
  auto known = [](const Sequence& s) { return std::min(s.num_tokens() + 1, std::max(s.end, s.num_tokens())); };
  int64_t owed = 0;
  for (const Sequence* s : running_) owed += kv_.missing(s->table, known(*s));
  while (!waiting_.empty() && budget.rows > 0 && num_running() < config_.max_sequences) {
    Sequence& s = *waiting_.front();
    attach_prefix(s);
    const bool fits = running_.empty() || owed + kv_.missing(s.table, known(s)) <= kv_.num_free();
    if (!fits || chunk_size(s, budget) == 0) {
      kv_.release(s.table);
      s.num_computed = 0;
      return;
    }
    if (!s.started) s.num_cached = std::min(s.num_computed, s.num_prompt());
    s.started = true;
    waiting_.pop_front();
    running_.push_back(&s);
    s.planned = 0;
    schedule(s, budget);
    owed += kv_.missing(s.table, known(s));
  }
}

bool Scheduler::plan(StepPlan& plan) {
  plan.clear();
  Budget budget{config_.max_rows, config_.max_logit_rows};
  for (Sequence* s : running_) s->planned = 0;
  const int64_t preemptions = num_preemptions_;
  // schedule() may remove sequences from the back, so these loops go by index.
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i]->remaining() == 1) schedule(*running_[i], budget);
  }
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i]->planned == 0) schedule(*running_[i], budget);
  }
  if (num_preemptions_ == preemptions) admit(budget);
  for (const Sequence* s : running_) {
    if (s->planned > 0) emit(*s, plan);
  }
  MLC_CHECK(plan.num_rows() > 0 || (running_.empty() && waiting_.empty()), "{} running, {} waiting, but nothing to do",
            running_.size(), waiting_.size());
  return plan.num_rows() > 0;
}

void Scheduler::emit(const Sequence& s, StepPlan& plan) const {
  const auto first_row = static_cast<int32_t>(plan.num_rows());
  const auto table_start = static_cast<int32_t>(plan.block_tables.size());
  plan.chunks.push_back(
      {s.id, first_row, static_cast<int32_t>(s.planned), s.planned == 1 && s.num_computed >= s.num_prompt()});
  plan.block_tables.insert(plan.block_tables.end(), s.table.pages.begin(), s.table.pages.end());
  for (int64_t i = 0; i < s.planned; ++i) {
    const int64_t p = s.num_computed + i;
    plan.token_ids.push_back(s.tokens[static_cast<size_t>(p)]);
    plan.positions.push_back(static_cast<int32_t>(p));
    plan.slots.push_back(kv_.slot(s.table, p));
    plan.table_start.push_back(table_start);
    const bool samples = p + 1 == s.num_tokens() && s.num_tokens() < s.end;
    const bool scores = s.request->prompt_logprobs && p >= s.num_scored && p + 1 < s.num_prompt();
    if (!samples && !scores) continue;
    plan.logit_rows.push_back(first_row + static_cast<int32_t>(i));
    plan.logits.push_back({s.id, samples, samples ? -1 : s.tokens[static_cast<size_t>(p) + 1]});
  }
}

std::vector<Output> Scheduler::commit(const StepPlan& plan, const StepResult& result) {
  MLC_CHECK(result.rows.size() == plan.logits.size(), "{} results for {} logit rows", result.rows.size(),
            plan.logits.size());
  std::vector<Output> outputs;
  size_t row = 0;
  for (const Chunk& chunk : plan.chunks) {
    auto it = sequences_.find(chunk.id);
    Output out;
    out.id = chunk.id;
    if (it != sequences_.end()) {
      Sequence& s = *it->second;
      s.num_computed += chunk.num_rows;
      kv_.remember(s.table, s.tokens, s.num_computed);
    }
    for (; row < plan.logits.size() && plan.logits[row].id == chunk.id; ++row) {
      if (it != sequences_.end() && out.finish_reason == FinishReason::kNone) {
        commit_row(*it->second, plan.logits[row], result.rows[row], out);
        if (out.finish_reason != FinishReason::kNone) it = sequences_.end();
      }
    }
    // Nothing to generate: it ends when its prompt is computed.
    if (it != sequences_.end() && it->second->num_computed >= it->second->end) {
      finish(*it->second, FinishReason::kLength, out);
    }
    const bool tells = !out.tokens.empty() || !out.prompt_logprobs.empty() || out.finish_reason != FinishReason::kNone;
    if (tells) outputs.push_back(std::move(out));
  }
  return outputs;
}

void Scheduler::commit_row(Sequence& s, const LogitRow& row, const RowResult& result, Output& out) {
  if (!result.error.empty()) {
    out.error = result.error;
    return finish(s, FinishReason::kError, out);
  }
  if (!row.samples) {
    if (result.logprob) out.prompt_logprobs.push_back(*result.logprob);
    ++s.num_scored;
    return;
  }
  const auto& stops = s.request->stop_token_ids;
  if (!s.request->ignore_eos && std::find(stops.begin(), stops.end(), result.token) != stops.end()) {
    return finish(s, FinishReason::kStop, out);
  }
  s.tokens.push_back(result.token);
  out.tokens.push_back(result.token);
  if (result.logprob) out.logprobs.push_back(*result.logprob);
  if (s.num_tokens() >= s.end) finish(s, FinishReason::kLength, out);
}

void Scheduler::check_integrity() const {
  std::vector<int> held(static_cast<size_t>(kv_.num_pages()), 0);
  for (const auto& [id, s] : sequences_) {
    MLC_CHECK(s->num_computed <= s->num_tokens(), "sequence {} computed more than it has", id);
    MLC_CHECK(kv_.missing(s->table, s->num_computed) == 0, "sequence {} has tokens without pages", id);
    for (size_t i = 0; i < s->table.pages.size(); ++i) {
      const PageId page = s->table.pages[i];
      const bool first = ++held[static_cast<size_t>(page)] == 1;
      const bool full = static_cast<int64_t>(i + 1) * kv_.page_size() <= s->num_computed;
      MLC_CHECK(first || (full && kv_.is_shareable(page)), "page {} is shared but may still be written", page);
    }
  }
  int64_t free = 0;
  for (size_t page = 0; page < held.size(); ++page) {
    free += held[page] == 0;
    MLC_CHECK(held[page] == kv_.pool().num_holders(static_cast<PageId>(page)),
              "page {} is in {} tables but has {} holders", page, held[page],
              kv_.pool().num_holders(static_cast<PageId>(page)));
  }
  MLC_CHECK(free == kv_.num_free(), "{} pages are in no table, {} are free", free, kv_.num_free());
  MLC_CHECK(sequences_.size() == running_.size() + waiting_.size(), "a sequence is in no queue");
  for (const Sequence* s : waiting_) MLC_CHECK(s->table.pages.empty(), "sequence {} holds pages while it waits", s->id);
}

}  // namespace mlc::engine
