#include "engine/draft_model.h"

#include <algorithm>
#include <unordered_map>

#include "base/log.h"
#include "engine/kv_cache.h"
#include "engine/sampler.h"

namespace mlc::engine {
namespace {

class ModelDraft : public DraftSource {
 public:
  ModelDraft(std::unique_ptr<ModelRunner> runner, int64_t num_pages)
      : runner_(std::move(runner)), limits_(runner_->limits()), kv_(num_pages, limits_.page_size, {}) {}

  void propose(std::span<const DraftQuery> queries, std::span<std::vector<int32_t>> drafts) override {
    if (failed_) return;
    ++now_;
    std::vector<Job> jobs;
    for (size_t i = 0; i < queries.size(); ++i) begin(queries[i], &drafts[i], jobs);
    // The first round takes in what is new to it, at most one step's rows of it in all; whoever has caught up then gets
    // a token per round.
    for (bool first = true; !jobs.empty(); first = false) {
      if (!plan_round(jobs)) return;
      auto logits = runner_->run(plan_);
      if (!logits) {
        log::warn("the draft model failed and is not used any more: {}", logits.error().message);
        failed_ = true;
        return;
      }
      take_round(jobs, *logits);
      std::erase_if(jobs, [first](const Job& j) { return j.done || (first && j.behind()); });
    }
  }

  void forget(SequenceId id) override {
    const auto it = known_.find(id);
    if (it == known_.end()) return;
    kv_.release(it->second.table);
    known_.erase(it);
  }

 private:
  // A sequence as far as the cache holds it.
  struct Known {
    std::vector<int32_t> tokens;
    BlockTable table;
    uint64_t used = 0;  // when
  };
  struct Job {
    const DraftQuery* query;
    std::vector<int32_t>* draft;
    Known* known;
    int64_t planned = 0;  // rows of this round
    bool done = false;
    int64_t wanted() const { return static_cast<int64_t>(query->tokens.size() + draft->size()); }
    int64_t held() const { return static_cast<int64_t>(known->tokens.size()); }
    bool behind() const { return wanted() - held() > 1; }
    int32_t token(int64_t i) const {
      const auto n = static_cast<int64_t>(query->tokens.size());
      return i < n ? query->tokens[static_cast<size_t>(i)] : (*draft)[static_cast<size_t>(i - n)];
    }
  };

  void begin(const DraftQuery& query, std::vector<int32_t>* draft, std::vector<Job>& jobs) {
    const auto size = static_cast<int64_t>(query.tokens.size());
    if (size >= limits_.context_window || static_cast<int64_t>(jobs.size()) >= limits_.max_logit_rows) return;
    Known& known = known_[query.id];
    known.used = now_;
    if (known.tokens.empty()) {
      const int64_t cached = kv_.attach(known.table, query.tokens, query.request->cache_salt);
      known.tokens.assign(query.tokens.begin(), query.tokens.begin() + cached);
    }
    // Earlier guesses that were wrong; the last token is computed again, for its logits.
    const auto most = std::min(known.tokens.size(), query.tokens.size() - 1);
    const auto end = known.tokens.begin() + static_cast<std::ptrdiff_t>(most);
    const auto same = std::mismatch(known.tokens.begin(), end, query.tokens.begin()).first;
    known.tokens.erase(same, known.tokens.end());
    jobs.push_back({&query, draft, &known});
  }

  // Pages of sequences that are not guessed for now may be taken.
  bool make_room(Known& known, int64_t tokens) {
    while (!kv_.grow(known.table, tokens, static_cast<int64_t>(known.tokens.size()), &plan_.copies)) {
      auto oldest = known_.end();
      for (auto it = known_.begin(); it != known_.end(); ++it) {
        const bool free = it->second.used != now_ && !it->second.table.pages.empty();
        if (free && (oldest == known_.end() || it->second.used < oldest->second.used)) oldest = it;
      }
      if (oldest == known_.end()) return false;
      kv_.release(oldest->second.table);
      known_.erase(oldest);
    }
    return true;
  }

  bool plan_round(std::vector<Job>& jobs) {
    plan_.clear();
    int64_t rows = limits_.max_rows;
    for (Job& j : jobs) {
      j.planned = std::min(rows, j.wanted() - j.held());
      if (j.planned == 0 || !make_room(*j.known, j.held() + j.planned)) {
        j.planned = 0;
        j.done = true;
        continue;
      }
      rows -= j.planned;
      emit(j);
    }
    return plan_.num_rows() > 0;
  }

  void emit(const Job& j) {
    const auto first_row = static_cast<int32_t>(plan_.num_rows());
    const auto table_start = static_cast<int32_t>(plan_.block_tables.size());
    plan_.chunks.push_back({j.query->id, first_row, static_cast<int32_t>(j.planned), 0, false});
    plan_.block_tables.insert(plan_.block_tables.end(), j.known->table.pages.begin(), j.known->table.pages.end());
    for (int64_t p = j.held(); p < j.held() + j.planned; ++p) {
      plan_.token_ids.push_back(j.token(p));
      plan_.positions.push_back(static_cast<int32_t>(p));
      plan_.slots.push_back(kv_.slot(j.known->table, p));
      plan_.table_start.push_back(table_start);
    }
    if (j.held() + j.planned < j.wanted()) return;
    plan_.logit_rows.push_back(first_row + static_cast<int32_t>(j.planned) - 1);
    plan_.logits.push_back({j.query->id, true, -1, -1});
  }

  void take_round(std::vector<Job>& jobs, std::span<float> logits) {
    const auto vocab = static_cast<size_t>(limits_.vocab_size);
    size_t row = 0;
    for (Job& j : jobs) {
      if (j.planned == 0) continue;
      const int64_t stop = j.held() + j.planned;
      const bool samples = stop == j.wanted();
      for (int64_t p = j.held(); p < stop; ++p) j.known->tokens.push_back(j.token(p));
      // Guesses may be wrong, so only what is known for certain may be found by others.
      const auto certain = std::min(stop, static_cast<int64_t>(j.query->tokens.size()));
      kv_.remember(j.known->table, j.query->tokens, certain, j.query->request->cache_salt);
      if (!samples) continue;
      const Request& request = *j.query->request;
      SamplingParams params = request.sampling;
      params.seed += static_cast<uint64_t>(j.query->choice);
      const uint64_t index = j.query->num_generated() + j.draft->size();
      const int32_t token = sampler_.sample(logits.subspan(row++ * vocab, vocab), params, index);
      if (token < 0) {
        j.done = true;
        continue;
      }
      j.draft->push_back(token);
      j.done = static_cast<int64_t>(j.draft->size()) >= j.query->max_tokens || j.wanted() >= limits_.context_window;
    }
  }

  std::unique_ptr<ModelRunner> runner_;
  const RunnerLimits limits_;
  KvCacheManager kv_;
  Sampler sampler_;
  std::unordered_map<SequenceId, Known> known_;  // references stay valid while others are erased
  StepPlan plan_;
  uint64_t now_ = 0;
  bool failed_ = false;
};

}  // namespace

Result<std::unique_ptr<DraftSource>> make_model_draft(std::unique_ptr<ModelRunner> runner,
                                                      const ModelDraftOptions& options) {
  const RunnerLimits l = runner->limits();
  if (l.vocab_size != options.vocab_size) {
    return error("the draft model has {} tokens, the served model {}; expected two models with the same tokenizer",
                 l.vocab_size, options.vocab_size);
  }
  const int64_t context = std::min(l.context_window, options.context_window);
  const int64_t per_sequence = (context + l.page_size - 1) / l.page_size;
  const int64_t pages = std::min(options.max_sequences * per_sequence, l.max_kv_pages);
  if (pages < 1) return error(ErrorCode::kUnavailable, "there is no memory for the KV cache of the draft model");
  MLC_TRY_VOID(runner->allocate_kv(pages));
  return std::unique_ptr<DraftSource>(std::make_unique<ModelDraft>(std::move(runner), pages));
}

}  // namespace mlc::engine
