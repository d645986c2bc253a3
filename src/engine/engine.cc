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
#include "engine/logits_processor.h"
#include "engine/model_runner.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"

namespace mlc::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

struct Submission {
  std::shared_ptr<const Request> request;
  OutputCallback on_output;
};
struct Cancellation {
  RequestId id = 0;
};
using Message = std::variant<Submission, Cancellation>;

// What the engine thread keeps per request beside the scheduler's sequence.
struct Live {
  std::shared_ptr<const Request> request;
  OutputCallback on_output;
  std::vector<std::unique_ptr<LogitsProcessor>> processors;
  bool started = false;
  Clock::time_point first_step, first_token, last_token;
  bool has_token = false;
};

class EngineImpl : public Engine {
 public:
  EngineImpl(std::unique_ptr<ModelRunner> runner, const SchedulerConfig& config)
      : runner_(std::move(runner)), limits_(runner_->limits()), scheduler_(config) {
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
    post(Submission{std::make_shared<const Request>(std::move(request)), std::move(on_output)});
    return id;
  }

  void cancel(RequestId id) override { post(Cancellation{id}); }

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
    stats_ = fresh;
  }

  int64_t context_window_size() const override { return scheduler_.config().context_window; }
  int64_t vocab_size() const override { return limits_.vocab_size; }

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
  RowResult sample_row(const LogitRow& row, std::span<float> logits);
  void deliver(std::vector<Output> outputs);
  void count_step(const StepPlan& plan, double elapsed_s);
  void publish_queue_stats();

  std::unique_ptr<ModelRunner> runner_;
  const RunnerLimits limits_;
  std::atomic<RequestId> next_id_{1};

  std::mutex mutex_;  // inbox_, stopping_
  std::condition_variable wake_;
  std::deque<Message> inbox_;
  bool stopping_ = false;

  mutable std::mutex stats_mutex_;
  EngineStats stats_;
  int64_t preemptions_before_reset_ = 0;

  // Only the engine thread from here on (the configuration of the scheduler never changes).
  Scheduler scheduler_;
  Sampler sampler_;
  std::unordered_map<RequestId, Live> live_;
  StepPlan plan_;
  StepResult result_;
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
  if (r.num_logprobs > 20) return error("{} log-probabilities per token were asked for; at most 20", r.num_logprobs);
  return check_sampling_params(r.sampling, limits_.vocab_size);
}

void EngineImpl::main() {
  runner_->enter_thread();
  while (drain()) step();
  for (auto& [id, live] : live_) {
    if (auto out = scheduler_.cancel(id)) live.on_output(*out);
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
    live.on_output = std::move(s->on_output);
    live.processors = make_logits_processors(*s->request);
    live_.emplace(s->request->id, std::move(live));
    scheduler_.add(s->request->id, s->request);
    return;
  }
  std::vector<Output> outputs;
  if (auto out = scheduler_.cancel(std::get<Cancellation>(message).id)) outputs.push_back(std::move(*out));
  deliver(std::move(outputs));
}

void EngineImpl::step() {
  MLC_SPAN("engine.step");
  if (!scheduler_.plan(plan_)) return;
  const auto start = Clock::now();
  for (const Chunk& chunk : plan_.chunks) {
    Live& live = live_.at(chunk.id);
    if (!live.started) live.first_step = start;
    live.started = true;
  }
  auto logits = runner_->run(plan_);
  if (!logits) {
    log::error("a step failed: {}", logits.error().message);
    return deliver(scheduler_.fail_all(logits.error().message));
  }
  result_.rows.clear();
  const auto vocab = static_cast<size_t>(limits_.vocab_size);
  for (size_t i = 0; i < plan_.logits.size(); ++i) {
    result_.rows.push_back(sample_row(plan_.logits[i], logits->subspan(i * vocab, vocab)));
  }
  auto outputs = scheduler_.commit(plan_, result_);
  count_step(plan_, seconds(Clock::now() - start));
  deliver(std::move(outputs));
}

RowResult EngineImpl::sample_row(const LogitRow& row, std::span<float> logits) {
  Live& live = live_.at(row.id);
  const Request& request = *live.request;
  RowResult result;
  const int num_top = std::max(0, request.num_logprobs);
  if (!row.samples) {
    result.logprob = sampler_.logprob(logits, row.target, num_top);
    return result;
  }
  const Sequence* s = scheduler_.find(row.id);
  // Log-probabilities are the model's own, so they are taken before the processors change the logits.
  const bool wants_logprob = request.num_logprobs >= 0;
  const auto index = static_cast<uint64_t>(s->num_generated());
  if (live.processors.empty()) {
    result.token = sampler_.sample(logits, request.sampling, index);
    if (wants_logprob && result.token >= 0) result.logprob = sampler_.logprob(logits, result.token, num_top);
  } else {
    std::vector<float> original;
    if (wants_logprob) original.assign(logits.begin(), logits.end());
    for (auto& p : live.processors) p->apply(logits);
    result.token = sampler_.sample(logits, request.sampling, index);
    if (result.token >= 0) {
      for (auto& p : live.processors) p->accept(result.token);
      if (wants_logprob) result.logprob = sampler_.logprob(original, result.token, num_top);
    }
  }
  if (result.token < 0) result.error = "the model produced no finite logits; its weights may be damaged";
  return result;
}

void EngineImpl::deliver(std::vector<Output> outputs) {
  // Counted first: who sees the last output also sees it in the statistics.
  {
    std::lock_guard lock(stats_mutex_);
    for (const Output& out : outputs) {
      stats_.cached_prompt_tokens += out.cached_prompt_tokens;
      if (out.finish_reason == FinishReason::kCancelled)
        ++stats_.cancelled_requests;
      else if (out.finish_reason != FinishReason::kNone)
        ++stats_.finished_requests;
    }
  }
  publish_queue_stats();
  const auto now = Clock::now();
  for (Output& out : outputs) {
    auto it = live_.find(out.id);
    Live& live = it->second;
    const bool last = out.finish_reason != FinishReason::kNone;
    if (!out.tokens.empty() || (last && live.started && !live.has_token)) {
      if (!live.has_token) live.first_token = now;
      live.has_token = true;
      live.last_token = now;
    }
    if (last && live.started) {
      out.prefill_s = seconds(live.first_token - live.first_step);
      out.decode_s = seconds(live.last_token - live.first_token);
    }
    live.on_output(out);
    if (last) live_.erase(out.id);
  }
}

// Time of a mixed step is shared between prefill and decode by rows.
void EngineImpl::count_step(const StepPlan& plan, double elapsed_s) {
  int64_t decode = 0;
  for (const Chunk& chunk : plan.chunks) decode += chunk.decodes ? 1 : 0;
  const int64_t prefill = plan.num_rows() - decode;
  const double share = static_cast<double>(decode) / static_cast<double>(plan.num_rows());
  std::lock_guard lock(stats_mutex_);
  stats_.steps += 1;
  stats_.decode_tokens += decode;
  stats_.prefill_tokens += prefill;
  stats_.decode_s += elapsed_s * share;
  stats_.prefill_s += elapsed_s * (1 - share);
}

void EngineImpl::publish_queue_stats() {
  std::lock_guard lock(stats_mutex_);
  stats_.running = scheduler_.num_running();
  stats_.waiting = scheduler_.num_waiting();
  stats_.kv_pages_free = scheduler_.kv().num_free();
  stats_.preemptions = scheduler_.num_preemptions() - preemptions_before_reset_;
}

// 0 means "what the model allows"; more than that is the user's error.
Result<int64_t> within(int64_t wanted, int64_t limit, const char* name) {
  if (wanted == 0) return limit;
  if (wanted < 0) return error("{} is {}; expected a positive number", name, wanted);
  if (wanted > limit) return error("{} is {}, but the model was compiled for at most {}", name, wanted, limit);
  return wanted;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(std::unique_ptr<ModelRunner> runner, const EngineOptions& options) {
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
  const int64_t sequences = std::min({config.max_sequences, config.max_rows, config.max_logit_rows});
  const int64_t pages_per_sequence = (config.context_window + limits.page_size - 1) / limits.page_size;
  if (options.max_total_tokens > 0) {
    config.num_pages = (options.max_total_tokens + limits.page_size - 1) / limits.page_size;
  } else {
    config.num_pages = std::min(sequences * pages_per_sequence, limits.max_kv_pages);
  }
  if (config.num_pages < 1)
    return error(ErrorCode::kUnavailable, "there is no memory for a single page of the KV cache");
  // One sequence alone must always fit.
  config.context_window = std::min(config.context_window, config.num_pages * limits.page_size);
  if (config.context_window < 2) return error("context_window_size is {}; expected 2 or more", config.context_window);
  MLC_TRY_VOID(runner->allocate_kv(config.num_pages));
  return std::unique_ptr<Engine>(std::make_unique<EngineImpl>(std::move(runner), config));
}

}  // namespace mlc::engine
