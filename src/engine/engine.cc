#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <variant>

#include "base/log.h"
#include "base/span.h"
#include "engine/model_runner.h"
#include "engine/scheduler.h"
#include "engine/token_chooser.h"

namespace mlc::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

struct Submission {
  std::shared_ptr<const Request> request;
  OutputCallback on_output;
  Clock::time_point at = Clock::now();
};
struct Cancellation {
  RequestId id = 0;
  int choice = -1;  // -1: all
};
struct Reset {};
using Message = std::variant<Submission, Cancellation, Reset>;

// What the engine thread keeps per request beside the scheduler's sequences.
struct Live {
  struct Choice {
    bool has_token = false;
    Clock::time_point first_token, last_token;
  };
  std::shared_ptr<const Request> request;
  OutputCallback on_output;
  std::vector<Choice> choices;
  size_t num_open = 0;        // choices without a last output
  std::vector<float> pooled;  // sum of hidden states, for embeddings
  int64_t num_pooled = 0;
  std::shared_ptr<std::vector<float>> rows;  // asked for by Request::rows
  bool started = false;
  Clock::time_point submitted, first_step;

  // Its row in a trace; choices beyond the first have rows of their own.
  std::string row(int choice) const {
    const std::string name = request->name.empty() ? std::to_string(request->id) : request->name;
    return choice == 0 ? name : name + "/" + std::to_string(choice);
  }
};

const char* name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "none";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kError:
      return "error";
  }
  MLC_UNREACHABLE("finish reason {}", static_cast<int>(reason));
}

class EngineImpl : public Engine {
 public:
  EngineImpl(std::unique_ptr<ModelRunner> runner, const SchedulerConfig& config, std::unique_ptr<DraftSource> drafts,
             std::shared_ptr<EventTrace> trace)
      : runner_(std::move(runner)),
        drafts_(std::move(drafts)),
        trace_(std::move(trace)),
        limits_(runner_->limits()),
        scheduler_(config) {
    stats_.kv_pages_total = stats_.kv_pages_free = config.num_pages;
    thread_ = std::thread([this] { main(); });
  }

  ~EngineImpl() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  Result<RequestId> submit(Request request, OutputCallback on_output) override {
    MLC_TRY_VOID(check(request));
    const RequestId id = next_id_.fetch_add(1);
    request.id = id;
    // Then each of the prompt's rows is looked at.
    if (request.pooling == Pooling::kMean || request.all_rows) request.prompt_logprobs = true;
    post(Submission{std::make_shared<const Request>(std::move(request)), std::move(on_output)});
    return id;
  }

  void cancel(RequestId id) override { post(Cancellation{id}); }
  void cancel(RequestId id, int choice) override { post(Cancellation{id, choice}); }

  EngineStats stats() const override {
    std::lock_guard lock(stats_mutex_);
    return stats_;
  }

  void reset_stats() override {
    std::lock_guard lock(stats_mutex_);
    EngineStats fresh;
    fresh.running = stats_.running;
    fresh.waiting = stats_.waiting;
    fresh.kv_pages_total = stats_.kv_pages_total;
    fresh.kv_pages_free = stats_.kv_pages_free;
    preemptions_before_reset_ += stats_.preemptions;
    prompt_tokens_before_reset_ += stats_.prompt_tokens;
    cached_tokens_before_reset_ += stats_.cached_prompt_tokens;
    stats_ = fresh;
  }

  void reset() override { post(Reset{}); }
  std::shared_ptr<const EventTrace> trace() const override { return trace_; }

  int64_t context_window_size() const override { return scheduler_.config().context_window; }
  int64_t vocab_size() const override { return limits_.vocab_size; }
  int64_t hidden_size() const override { return limits_.hidden_size; }

 private:
  Result<void> check(const Request& r) const;
  void post(Message message) {
    {
      std::lock_guard lock(mutex_);
      inbox_.push_back(std::move(message));
    }
    wake_.notify_one();
  }

  void main();
  bool drain();  // false: stop
  void handle(Message& message);
  void step();
  void pool_hidden();
  void keep_rows(std::span<const float> logits);
  void guess();
  std::vector<std::pair<std::string, const char*>> rows_of_step() const;
  void deliver(std::vector<Output> outputs);
  void count_step(const StepPlan& plan, const DraftCounts& before, double elapsed_s, double draft_s);
  void publish_queue_stats();

  std::unique_ptr<ModelRunner> runner_;
  std::unique_ptr<DraftSource> drafts_;      // may be null
  const std::shared_ptr<EventTrace> trace_;  // may be null
  const RunnerLimits limits_;
  std::atomic<RequestId> next_id_{1};

  std::mutex mutex_;  // inbox_, stopping_
  std::condition_variable wake_;
  std::deque<Message> inbox_;
  bool stopping_ = false;

  mutable std::mutex stats_mutex_;
  EngineStats stats_;
  int64_t preemptions_before_reset_ = 0, prompt_tokens_before_reset_ = 0, cached_tokens_before_reset_ = 0;

  // Only the engine thread from here on (the configuration of the scheduler never changes).
  Scheduler scheduler_;
  TokenChooser chooser_;
  std::unordered_map<RequestId, Live> live_;
  StepPlan plan_;
  std::vector<std::vector<int32_t>> guesses_;
  std::thread thread_;
};

Result<void> EngineImpl::check(const Request& r) const {
  if (r.prompt.empty()) return error("the prompt is empty; expected at least one token");
  for (int32_t token : r.prompt) {
    if (token < 0 || token >= limits_.vocab_size) {
      return error("the prompt holds token id {}; the model has ids 0 to {}", token, limits_.vocab_size - 1);
    }
  }
  if (r.max_tokens < 0) return error("max_tokens is {}; expected 0 or more", r.max_tokens);
  const auto size = static_cast<int64_t>(r.prompt.size());
  const int64_t context = context_window_size();
  if (size + (r.max_tokens > 0 ? 1 : 0) > context) {
    return error("the prompt has {} tokens; the context window is {} tokens, prompt and answer together", size,
                 context);
  }
  if (r.num_choices < 1 || r.num_choices > kMaxChoicesPerRequest) {
    return error("{} answers were asked for; expected 1 to {}", r.num_choices, kMaxChoicesPerRequest);
  }
  if (r.pooling != Pooling::kNone && (limits_.hidden_size == 0 || r.max_tokens != 1 || r.num_choices != 1)) {
    return error("embeddings need a model that gives hidden states, max_tokens 1 and one choice");
  }
  if (r.rows != Rows::kNone && (r.max_tokens != 1 || r.num_choices != 1)) {
    return error("logits and hidden states of a prompt need max_tokens 1 and one choice");
  }
  if (r.rows == Rows::kHidden && limits_.hidden_size == 0) return error("this model's library gives no hidden states");
  if (r.min_tokens < 0) return error("min_tokens is {}; expected 0 or more", r.min_tokens);
  if (r.num_logprobs > 20) return error("{} log-probabilities per token were asked for; at most 20", r.num_logprobs);
  return check_sampling_params(r.sampling, limits_.vocab_size);
}

void EngineImpl::main() {
  runner_->enter_thread();
  while (drain()) step();
  for (auto& [id, live] : live_) {
    for (const Output& out : scheduler_.cancel(id)) live.on_output(out);
  }
}

// Handles the inbox; sleeps while there is nothing to compute.
bool EngineImpl::drain() {
  std::deque<Message> messages;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      auto has_work = [&] { return scheduler_.num_running() + scheduler_.num_waiting() > 0; };
      wake_.wait(lock, [&] { return stopping_ || !inbox_.empty() || has_work(); });
      messages.swap(inbox_);
      if (stopping_ && messages.empty()) return false;
    }
    // When stopping, what was submitted still gets its last output: it is taken in and cancelled with the rest.
    for (Message& m : messages) handle(m);
    messages.clear();
    publish_queue_stats();
    if (scheduler_.num_running() + scheduler_.num_waiting() > 0) {
      std::lock_guard lock(mutex_);
      if (!stopping_) return true;
      if (inbox_.empty()) return false;
    }
  }
}

void EngineImpl::handle(Message& message) {
  if (auto* s = std::get_if<Submission>(&message)) {
    Live live;
    live.request = s->request;
    live.submitted = s->at;
    live.on_output = std::move(s->on_output);
    live.num_open = static_cast<size_t>(s->request->num_choices);
    live.choices.resize(live.num_open);
    if (trace_) trace_->instant(live.row(0), "add request", s->at);
    if (s->request->constraint) chooser_.prepare(*s->request, limits_.vocab_size);
    live_.emplace(s->request->id, std::move(live));
    scheduler_.add(s->request->id, s->request);
    return;
  }
  if (std::get_if<Reset>(&message)) {
    deliver(scheduler_.fail_all("the engine was reset"));
    return reset_stats();
  }
  const auto& c = std::get<Cancellation>(message);
  deliver(c.choice < 0 ? scheduler_.cancel(c.id) : scheduler_.cancel(c.id, c.choice));
}

// A source costs speed at worst, so none of its faults is the request's.
void EngineImpl::guess() {
  const std::vector<DraftQuery>& queries = scheduler_.draft_queries();
  if (queries.empty()) return;
  MLC_SPAN("engine.guess");
  guesses_.assign(queries.size(), {});
  drafts_->propose(queries, guesses_);
  for (size_t i = 0; i < queries.size(); ++i) {
    if (!guesses_[i].empty()) scheduler_.set_draft(queries[i].id, std::move(guesses_[i]));
  }
}

void EngineImpl::step() {
  MLC_SPAN("engine.step");
  const auto start = Clock::now();
  if (drafts_) guess();
  const auto guessed = Clock::now();
  if (!scheduler_.plan(plan_)) return;
  for (const Chunk& chunk : plan_.chunks) {
    Live& live = live_.at(scheduler_.find(chunk.id)->request_id);
    if (!live.started) live.first_step = start;
    if (!live.started && trace_) trace_->span(live.row(0), "queue", live.submitted, start);
    live.started = true;
  }
  auto logits = runner_->run(plan_);
  if (!logits) {
    log::error("a step failed: {}", logits.error().message);
    return deliver(scheduler_.fail_all(logits.error().message));
  }
  pool_hidden();
  keep_rows(*logits);  // before they are changed by choosing
  const StepResult result = chooser_.choose(plan_, *logits, scheduler_);
  const DraftCounts before = scheduler_.draft_counts();
  const auto rows = rows_of_step();
  auto outputs = scheduler_.commit(plan_, result);
  const auto end = Clock::now();
  for (const auto& [row, what] : rows) trace_->span(row, what, start, end);
  count_step(plan_, before, seconds(end - start), seconds(guessed - start));
  deliver(std::move(outputs));
}

// For the trace; asked before commit(), which forgets the sequences that end.
std::vector<std::pair<std::string, const char*>> EngineImpl::rows_of_step() const {
  std::vector<std::pair<std::string, const char*>> rows;
  if (!trace_) return rows;
  for (const Chunk& chunk : plan_.chunks) {
    const Sequence& s = *scheduler_.find(chunk.id);
    const char* what = !chunk.decodes ? "prefill" : chunk.num_drafts > 0 ? "verify" : "decode";
    rows.emplace_back(live_.at(s.request_id).row(s.choice), what);
  }
  return rows;
}

// Adds up the hidden states that a request's vector is made of. Each row counts once, however often the sequence is
// preempted: rows for log-probabilities are asked for once, and the one that samples ends the request.
void EngineImpl::pool_hidden() {
  const auto width = static_cast<size_t>(limits_.hidden_size);
  for (size_t i = 0; i < plan_.logits.size(); ++i) {
    const Sequence& s = *scheduler_.find(plan_.logits[i].id);
    const Pooling pooling = s.request->pooling;
    if (pooling == Pooling::kNone || (pooling == Pooling::kLast && !plan_.logits[i].samples)) continue;
    Live& live = live_.at(s.request_id);
    const auto row = runner_->hidden().subspan(i * width, width);
    live.pooled.resize(width, 0);
    for (size_t j = 0; j < width; ++j) live.pooled[j] += row[j];
    ++live.num_pooled;
  }
}

// Once each, for the same reasons as in pool_hidden().
void EngineImpl::keep_rows(std::span<const float> logits) {
  for (size_t i = 0; i < plan_.logits.size(); ++i) {
    const Sequence& s = *scheduler_.find(plan_.logits[i].id);
    const Rows wanted = s.request->rows;
    if (wanted == Rows::kNone || !(s.request->all_rows || plan_.logits[i].samples)) continue;
    const bool hidden = wanted == Rows::kHidden;
    const auto width = static_cast<size_t>(hidden ? limits_.hidden_size : limits_.vocab_size);
    const auto row = (hidden ? runner_->hidden() : logits).subspan(i * width, width);
    auto& kept = live_.at(s.request_id).rows;
    if (!kept) kept = std::make_shared<std::vector<float>>();
    kept->insert(kept->end(), row.begin(), row.end());
  }
}

void EngineImpl::deliver(std::vector<Output> outputs) {
  // Counted first: who sees the last output also sees it in the statistics.
  for (const Output& out : outputs) {
    if (out.finish_reason == FinishReason::kNone) continue;
    --live_.at(out.id).num_open;
    chooser_.forget(out.id, out.choice);
    // Each choice counts, as in what clients and operators see: it is an answer of its own.
    std::lock_guard lock(stats_mutex_);
    ++(out.finish_reason == FinishReason::kCancelled ? stats_.cancelled_requests : stats_.finished_requests);
  }
  if (drafts_) {
    for (const SequenceId id : scheduler_.take_ended()) drafts_->forget(id);
  }
  publish_queue_stats();
  const auto now = Clock::now();
  for (Output& out : outputs) {
    Live& live = live_.at(out.id);
    Live::Choice& choice = live.choices[static_cast<size_t>(out.choice)];
    const bool last = out.finish_reason != FinishReason::kNone;
    if (!out.tokens.empty() || (last && live.started && !choice.has_token)) {
      if (!choice.has_token) choice.first_token = now;
      choice.has_token = true;
      choice.last_token = now;
    }
    if (last && trace_) {
      trace_->instant(live.row(out.choice), std::string("finish ") + name_of(out.finish_reason), now);
      trace_->close(live.row(out.choice));
    }
    if (last && live.started) {
      out.prefill_s = seconds(choice.first_token - live.first_step);
      out.decode_s = seconds(choice.last_token - choice.first_token);
    }
    if (last && live.num_pooled > 0) {
      for (float& x : live.pooled) x /= static_cast<float>(live.num_pooled);
      out.embedding = std::move(live.pooled);
    }
    if (last) out.rows = live.rows;
    live.on_output(out);
  }
  for (const Output& out : outputs) {
    const auto it = live_.find(out.id);
    if (it != live_.end() && it->second.num_open == 0) live_.erase(it);
  }
}

// Time of a mixed step is shared between prefill and decode by rows. Right guesses are decoded tokens, wrong ones only
// take time.
void EngineImpl::count_step(const StepPlan& plan, const DraftCounts& before, double elapsed_s, double draft_s) {
  int64_t decode_tokens = 0, guesses = 0;
  for (const Chunk& chunk : plan.chunks) {
    guesses += chunk.num_drafts;
    decode_tokens += chunk.decodes ? 1 : 0;
  }
  const DraftCounts& now = scheduler_.draft_counts();
  const double share = static_cast<double>(decode_tokens + guesses) / static_cast<double>(plan.num_rows());
  std::lock_guard lock(stats_mutex_);
  stats_.steps += 1;
  stats_.decode_tokens += decode_tokens + now.accepted - before.accepted;
  stats_.prefill_tokens += plan.num_rows() - decode_tokens - guesses;
  stats_.decode_s += draft_s + (elapsed_s - draft_s) * share;
  stats_.prefill_s += (elapsed_s - draft_s) * (1 - share);
  stats_.draft_s += draft_s;
  stats_.drafts.steps += now.steps - before.steps;
  stats_.drafts.drafted += now.drafted - before.drafted;
  stats_.drafts.accepted += now.accepted - before.accepted;
  for (size_t i = 0; i < now.accepted_at.size(); ++i) {
    stats_.drafts.accepted_at[i] += now.accepted_at[i] - before.accepted_at[i];
  }
}

void EngineImpl::publish_queue_stats() {
  std::lock_guard lock(stats_mutex_);
  stats_.running = scheduler_.num_running();
  stats_.waiting = scheduler_.num_waiting();
  stats_.kv_pages_free = scheduler_.kv().num_free();
  stats_.preemptions = scheduler_.num_preemptions() - preemptions_before_reset_;
  stats_.prompt_tokens = scheduler_.num_prompt_tokens() - prompt_tokens_before_reset_;
  stats_.cached_prompt_tokens = scheduler_.num_cached_tokens() - cached_tokens_before_reset_;
}

// 0 means "what the model allows"; more than that is the user's error.
Result<int64_t> within(int64_t wanted, int64_t limit, const char* name) {
  if (wanted == 0) return limit;
  if (wanted < 0) return error("{} is {}; expected a positive number", name, wanted);
  if (wanted > limit) return error("{} is {}, but the model was compiled for at most {}", name, wanted, limit);
  return wanted;
}

// The arithmetic behind the size of the KV cache.
void tell_kv_sizes(const RunnerLimits& l, int64_t pages, int64_t sequences, int64_t context) {
  if (l.kv_bytes_per_page == 0) return;
  constexpr int64_t kMiB = 1 << 20;
  const int64_t per_sequence = (context + l.page_size - 1) / l.page_size;
  log::info(
      "KV cache: {} pages of {} tokens = {} tokens, {} MiB at {} bytes a token. {} sequences of {} tokens would take "
      "{} "
      "MiB; allowed are {} MiB, {:.0f}% of the {} MiB of memory that are available",
      pages, l.page_size, pages * l.page_size, pages * l.kv_bytes_per_page / kMiB, l.kv_bytes_per_page / l.page_size,
      sequences, context, sequences * per_sequence * l.kv_bytes_per_page / kMiB, l.allowed_bytes / kMiB,
      100.0 * static_cast<double>(l.allowed_bytes) / static_cast<double>(std::max<int64_t>(1, l.available_bytes)),
      l.available_bytes / kMiB);
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(std::unique_ptr<ModelRunner> runner, const EngineOptions& options,
                                               std::unique_ptr<DraftSource> drafts) {
  const RunnerLimits limits = runner->limits();
  SchedulerConfig config;
  if (options.max_num_sequence < 1)
    return error("max_num_sequence is {}; expected 1 or more", options.max_num_sequence);
  if (options.max_total_tokens < 0)
    return error("max_total_tokens is {}; expected 0 or more", options.max_total_tokens);
  MLC_TRY(config.max_rows, within(options.prefill_chunk_size, limits.max_rows, "prefill_chunk_size"));
  MLC_TRY(config.context_window, within(options.context_window_size, limits.context_window, "context_window_size"));
  config.max_sequences = options.max_num_sequence;
  config.max_logit_rows = limits.max_logit_rows;
  config.page_size = limits.page_size;
  config.reuse_prefixes = options.prefix_cache;
  config.max_recycled = options.max_recycled;
  config.mix_prefill = options.mix_prefill;
  if (options.draft_length < 0 || options.draft_length > kMaxDraft) {
    return error("the draft length is {}; expected 0 (adaptive) to {}", options.draft_length, kMaxDraft);
  }
  config.draft.adaptive = options.draft_length == 0;
  config.draft.max_length = !drafts ? 0 : config.draft.adaptive ? kMaxDraft : options.draft_length;
  const int64_t sequences = std::min({config.max_sequences, config.max_rows, config.max_logit_rows});
  const int64_t pages_per_sequence = (config.context_window + limits.page_size - 1) / limits.page_size;
  if (options.max_total_tokens > 0) {
    config.num_pages = (options.max_total_tokens + limits.page_size - 1) / limits.page_size;
  } else {
    config.num_pages = std::min(sequences * pages_per_sequence, limits.max_kv_pages);
  }
  if (config.num_pages < 1)
    return error(ErrorCode::kUnavailable, "there is no memory for a single page of the KV cache");
  tell_kv_sizes(limits, config.num_pages, sequences, config.context_window);
  // One sequence alone must always fit.
  config.context_window = std::min(config.context_window, config.num_pages * limits.page_size);
  if (config.context_window < 2) return error("context_window_size is {}; expected 2 or more", config.context_window);
  MLC_TRY_VOID(runner->allocate_kv(config.num_pages));
  return std::unique_ptr<Engine>(
      std::make_unique<EngineImpl>(std::move(runner), config, std::move(drafts), options.trace));
}

}  // namespace mlc::engine
