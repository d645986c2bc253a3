#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"

namespace mlc::engine {

void StepPlan::clear() {
  for (auto* v : {&token_ids, &positions, &slots, &table_start, &block_tables, &logit_rows}) v->clear();
  logits.clear();
  chunks.clear();
  copies.clear();
}

bool Scheduler::Before::operator()(const Sequence* a, const Sequence* b) const {
  return std::tuple(a->request->priority, a->arrival, a->choice) <
         std::tuple(b->request->priority, b->arrival, b->choice);
}

// Pinned pages must leave room for a sequence alone.
Scheduler::Scheduler(const SchedulerConfig& config)
    : config_(config),
      kv_(config.num_pages, config.page_size,
          {config.reuse_prefixes, config.max_recycled,
           config.num_pages - (config.context_window + config.page_size - 1) / config.page_size}) {
  MLC_CHECK(config.max_rows > 0 && config.max_logit_rows > 0 && config.max_sequences > 0, "empty step");
  // Every running sequence must be able to get its one row in every step, or some would starve.
  config_.max_sequences = std::min({config.max_sequences, config.max_rows, config.max_logit_rows});
  MLC_CHECK(kv_.pages_for(config.context_window) <= config.num_pages,
            "a sequence of {} tokens does not fit into {} pages", config.context_window, config.num_pages);
}

Sequence& Scheduler::new_sequence(RequestId id, std::shared_ptr<const Request> request, int choice, uint64_t arrival) {
  auto owned = std::make_unique<Sequence>();
  Sequence& s = *owned;
  s.id = next_sequence_++;
  s.request_id = id;
  s.choice = choice;
  s.arrival = arrival;
  s.request = std::move(request);
  s.tokens = s.request->prompt;
  const int64_t room = config_.context_window - s.num_prompt();
  MLC_CHECK(!s.tokens.empty() && room >= 0, "prompt of {} tokens, context {}", s.num_prompt(), config_.context_window);
  s.end = s.num_prompt() + std::min(room, s.request->max_tokens);
  sequences_.emplace(s.id, std::move(owned));
  by_request_[id].push_back(&s);
  return s;
}

void Scheduler::add(RequestId id, std::shared_ptr<const Request> request) {
  MLC_CHECK(by_request_.count(id) == 0, "request {} was added twice", id);
  const int choices = request->num_choices;
  Sequence& s = new_sequence(id, std::move(request), 0, num_arrivals_++);
  for (int c = 1; c < choices; ++c) s.forks.push_back(c);
  waiting_.insert(&s);
}

const Sequence* Scheduler::find(SequenceId id) const {
  auto it = sequences_.find(id);
  return it == sequences_.end() ? nullptr : it->second.get();
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

// How many more pages everything that is known of a sequence will take; each of its forks writes a page of its own.
int64_t Scheduler::pages_owed(const Sequence& s) const {
  const int64_t known = std::min(s.num_tokens() + 1, std::max(s.end, s.num_tokens()));
  return kv_.missing(s.table, known, s.num_computed) + static_cast<int64_t>(s.forks.size());
}

// Forks that are to come count: a request with many choices gets its places all at once.
int64_t Scheduler::slots_taken() const {
  int64_t taken = 0;
  for (const Sequence* s : running_) taken += std::min(s->num_choices(), config_.max_sequences);
  return taken;
}

void Scheduler::run_now(Sequence& s) {
  running_.insert(std::upper_bound(running_.begin(), running_.end(), &s, Before()), &s);
}

// Takes back the pages of the last sequence in order, and its part of the step if it has one.
void Scheduler::preempt_last(Budget& budget) {
  Sequence& s = *running_.back();
  budget.rows += s.planned;
  budget.logits += logits_needed(s, s.planned);
  s.planned = 0;
  s.num_computed = 0;
  kv_.release(s.table);
  running_.pop_back();
  waiting_.insert(&s);
  ++num_preemptions_;
}

void Scheduler::schedule(Sequence& s, Budget& budget) {
  const int64_t n = chunk_size(s, budget);
  if (n == 0) return;
  while (!kv_.grow(s.table, s.num_computed + n, s.num_computed, &copies_)) {
    const bool itself = running_.back() == &s;
    MLC_CHECK(!itself || running_.size() > 1, "the only sequence ({} tokens) does not fit", s.num_tokens());
    preempt_last(budget);
    if (itself) return;
  }
  budget.rows -= n;
  budget.logits -= logits_needed(s, n);
  s.planned = n;
}

// Prompt tokens that are to be scored need their logits, so they must be computed.
void Scheduler::attach_prefix(Sequence& s) {
  if (s.request->prompt_logprobs && s.num_scored + 1 < s.num_prompt()) return;
  s.num_computed = kv_.attach(s.table, s.tokens, s.request->cache_salt);
}

// Lets waiting sequences in while everything that is known of them, and of those that run, will have pages.
void Scheduler::admit(Budget& budget) {
  int64_t owed = 0;
  for (const Sequence* s : running_) owed += pages_owed(*s);
  while (!waiting_.empty() && budget.rows > 0) {
    Sequence& s = **waiting_.begin();
    if (slots_taken() + std::min(s.num_choices(), config_.max_sequences) > config_.max_sequences) return;
    attach_prefix(s);
    const bool fits = running_.empty() || owed + pages_owed(s) <= kv_.num_free();
    if (!fits || chunk_size(s, budget) == 0) {
      kv_.release(s.table);
      s.num_computed = 0;
      return;
    }
    if (!s.started) {
      s.num_cached = std::min(s.num_computed, s.num_prompt());
      num_prompt_tokens_ += s.num_prompt();
      num_cached_tokens_ += s.num_cached;
    }
    s.started = true;
    waiting_.erase(waiting_.begin());
    run_now(s);
    s.planned = s.planned_drafts = 0;
    schedule(s, budget);
    if (num_preemptions_ != preemptions_before_) return;
    owed += pages_owed(s);
  }
}

// schedule() may remove sequences from the back, so these loops go by index.
bool Scheduler::schedule_decodes(Budget& budget) {
  const int64_t before = budget.rows;
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i]->planned == 0 && running_[i]->remaining() == 1) schedule(*running_[i], budget);
  }
  return budget.rows < before;
}

bool Scheduler::schedule_prompts(Budget& budget) {
  const int64_t before = budget.rows;
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i]->planned == 0 && running_[i]->remaining() > 1) schedule(*running_[i], budget);
  }
  // Whoever was preempted in this step would only push others out.
  if (num_preemptions_ == preemptions_before_) admit(budget);
  return budget.rows < before;
}

bool Scheduler::plan(StepPlan& plan) {
  plan.clear();
  copies_.clear();
  Budget budget{config_.max_rows, config_.max_logit_rows};
  preemptions_before_ = num_preemptions_;
  for (Sequence* s : running_) s->planned = s->planned_drafts = 0;
  if (config_.mix_prefill) {
    schedule_decodes(budget);
    const Budget reserved = reserve_for_drafts(budget);
    budget.rows -= reserved.rows;
    budget.logits -= reserved.logits;
    schedule_prompts(budget);
    budget.rows += reserved.rows;
    budget.logits += reserved.logits;
  } else {
    // In turns, so that neither waits for longer than one step of the other.
    bool prefilled = !last_prefilled_ && schedule_prompts(budget);
    if (!prefilled && !schedule_decodes(budget)) prefilled = schedule_prompts(budget);
    last_prefilled_ = prefilled;
  }
  schedule_drafts(budget);
  for (Sequence* s : running_) {
    if (s->planned > 0) emit(*s, plan);
    s->draft.clear();
  }
  plan.copies = copies_;
  MLC_CHECK(plan.num_rows() > 0 || (running_.empty() && waiting_.empty()), "{} running, {} waiting, but nothing to do",
            running_.size(), waiting_.size());
  return plan.num_rows() > 0;
}

// Guesses get a quarter of what is left at least, else a long prompt would take it all; each prompt keeps a logit row.
Scheduler::Budget Scheduler::reserve_for_drafts(const Budget& budget) const {
  int64_t wanted = 0, prompts = waiting_.empty() ? 0 : 1;
  for (const Sequence* s : running_) {
    wanted += s->planned == 1 ? static_cast<int64_t>(s->draft.size()) : 0;
    prompts += s->planned == 0;
  }
  const int64_t n = std::max<int64_t>(0, std::min({wanted, budget.rows / 4, budget.logits - prompts}));
  return {n, n};
}

// Guesses never push anything out: they take rows and pages that nobody else wants now.
void Scheduler::schedule_drafts(Budget& budget) {
  for (Sequence* s : running_) {
    if (s->planned != 1 || s->remaining() != 1 || s->draft.empty()) continue;
    int64_t n = std::min({static_cast<int64_t>(s->draft.size()), budget.rows, budget.logits});
    const auto fits = [&] { return kv_.grow(s->table, s->num_tokens() + n, s->num_computed, &copies_); };
    while (n > 0 && !fits()) --n;
    s->planned_drafts = n;
    s->planned += n;
    budget.rows -= n;
    budget.logits -= n;
  }
}

const std::vector<DraftQuery>& Scheduler::draft_queries() {
  queries_.clear();
  const DraftOptions& o = config_.draft;
  int64_t decodes = 0;
  for (const Sequence* s : running_) decodes += s->remaining() == 1;
  if (o.max_length == 0 || decodes == 0) return queries_;
  const int64_t share = (std::min({o.max_rows, config_.max_rows, config_.max_logit_rows}) - decodes) / decodes;
  for (Sequence* s : running_) {
    s->draft.clear();
    // A grammar guesses by itself: what it forces is appended (RowResult::forced).
    if (s->remaining() != 1 || !s->forks.empty() || s->request->constraint != nullptr) continue;
    // The last guess, too, must leave room for a token after it.
    const int64_t most = std::min(share, s->end - 1 - s->num_tokens());
    if (most <= 0) continue;
    const int64_t n = std::min(most, s->draft_length.next(o));
    if (n > 0) queries_.push_back({s->id, s->request.get(), s->choice, s->tokens, n});
  }
  return queries_;
}

void Scheduler::set_draft(SequenceId id, std::vector<int32_t> tokens) {
  const auto it = sequences_.find(id);
  if (it != sequences_.end()) it->second->draft = std::move(tokens);
}

void Scheduler::emit(const Sequence& s, StepPlan& plan) const {
  const auto first_row = static_cast<int32_t>(plan.num_rows());
  const auto table_start = static_cast<int32_t>(plan.block_tables.size());
  plan.chunks.push_back({s.id, first_row, static_cast<int32_t>(s.planned), static_cast<int32_t>(s.planned_drafts),
                         s.remaining() == 1 && s.num_computed >= s.num_prompt()});
  plan.block_tables.insert(plan.block_tables.end(), s.table.pages.begin(), s.table.pages.end());
  const auto token = [&s](int64_t p) {
    return p < s.num_tokens() ? s.tokens[static_cast<size_t>(p)] : s.draft[static_cast<size_t>(p - s.num_tokens())];
  };
  const int64_t last = s.num_computed + s.planned - 1;
  for (int64_t p = s.num_computed; p <= last; ++p) {
    plan.token_ids.push_back(token(p));
    plan.positions.push_back(static_cast<int32_t>(p));
    plan.slots.push_back(kv_.slot(s.table, p));
    plan.table_start.push_back(table_start);
    const bool samples = p + 1 >= s.num_tokens() && s.num_tokens() < s.end;
    const bool scores = s.request->prompt_logprobs && p >= s.num_scored && p + 1 < s.num_prompt();
    if (!samples && !scores) continue;
    plan.logit_rows.push_back(first_row + static_cast<int32_t>(p - s.num_computed));
    plan.logits.push_back({s.id, samples, samples ? -1 : token(p + 1), samples && p < last ? token(p + 1) : -1});
  }
}

void Scheduler::check_integrity() const {
  std::vector<int> held(static_cast<size_t>(kv_.num_pages()), 0);
  std::vector<const BlockTable*> writers(static_cast<size_t>(kv_.num_pages()), nullptr);
  size_t in_requests = 0;
  for (const auto& [id, list] : by_request_) {
    in_requests += list.size();
    MLC_CHECK(!list.empty(), "request {} has no sequence", id);
  }
  MLC_CHECK(in_requests == sequences_.size(), "a sequence belongs to no request");
  int64_t free = 0, pinned = 0;
  for (const auto& [id, s] : sequences_) {
    MLC_CHECK(s->num_computed <= s->num_tokens(), "sequence {} computed more than it has", id);
    MLC_CHECK(static_cast<int64_t>(s->table.pages.size()) >= kv_.pages_for(s->num_computed),
              "sequence {} has tokens without pages", id);
    MLC_CHECK(s->forks.empty() || s->num_generated() == 0, "sequence {} went on without its forks", id);
    for (const PageId page : s->table.pages) ++held[static_cast<size_t>(page)];
    // A page that is being filled is known to nobody else: only to forks, which copy it before they write.
    for (int64_t i = s->num_computed / kv_.page_size(); i < static_cast<int64_t>(s->table.pages.size()); ++i) {
      const PageId page = s->table.pages[static_cast<size_t>(i)];
      MLC_CHECK(!kv_.is_shareable(page), "page {} may be shared but is still written by sequence {}", page, id);
    }
  }
  for (PageId page = 0; page < kv_.num_pages(); ++page) {
    int& holders = held[static_cast<size_t>(page)];
    pinned += kv_.is_pinned(page);
    holders += kv_.is_pinned(page) ? 1 : 0;
    free += holders == 0;
    MLC_CHECK(holders == kv_.pool().num_holders(page), "page {} is in {} tables but has {} holders", page, holders,
              kv_.pool().num_holders(page));
  }
  MLC_CHECK(free == kv_.num_free(), "{} pages are in no table, {} are free", free, kv_.num_free());
  MLC_CHECK(pinned == kv_.num_pinned(), "{} pages are pinned, not {}", pinned, kv_.num_pinned());
  MLC_CHECK(sequences_.size() == running_.size() + waiting_.size(), "a sequence is in no queue");
  MLC_CHECK(std::is_sorted(running_.begin(), running_.end(), Before()), "the running sequences are not in order");
  MLC_CHECK(num_running() <= config_.max_sequences, "{} sequences run", num_running());
  for (const Sequence* s : waiting_) MLC_CHECK(s->table.pages.empty(), "sequence {} holds pages while it waits", s->id);
}

}  // namespace mlc::engine
