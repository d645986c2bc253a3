#include "serve/observed_engine.h"

#include <chrono>
#include <limits>
#include <vector>

namespace mlc::serve {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

// Of one choice. Lives in the request's callback: one thread at a time.
class Observation {
 public:
  Observation(std::shared_ptr<Metrics::Model> metrics, int64_t max_tokens)
      : metrics_(std::move(metrics)), max_tokens_(max_tokens) {}

  void see(const engine::Output& output) {
    const auto now = Clock::now();
    const auto count = static_cast<int64_t>(output.tokens.size());
    int64_t later = count;
    if (count > 0 && tokens_ == 0) {
      metrics_->first_token(seconds(now - submitted_));
      --later;
    }
    if (later > 0) metrics_->next_tokens(seconds(now - last_), later);
    if (count > 0) last_ = now;
    tokens_ += count;
    if (output.finish_reason == engine::FinishReason::kNone) return;
    SequenceTimes t;
    t.whole = seconds(now - submitted_);
    t.prefill = output.prefill_s;
    t.decode = output.decode_s;
    t.queue = std::max(0.0, t.whole - t.prefill - t.decode);
    t.prompt_tokens = output.prompt_tokens;
    t.output_tokens = output.completion_tokens;
    t.max_tokens = max_tokens_;
    metrics_->sequence_ended(t);
  }

 private:
  std::shared_ptr<Metrics::Model> metrics_;
  int64_t max_tokens_;
  Clock::time_point submitted_ = Clock::now();
  Clock::time_point last_ = submitted_;
  int64_t tokens_ = 0;
};

class ObservedEngine final : public engine::Engine {
 public:
  ObservedEngine(std::shared_ptr<engine::Engine> engine, std::shared_ptr<Metrics::Model> metrics)
      : engine_(std::move(engine)), metrics_(std::move(metrics)) {}

  Result<engine::RequestId> submit(engine::Request request, engine::OutputCallback on_output) override {
    if (request.pooling != engine::Pooling::kNone) return engine_->submit(std::move(request), std::move(on_output));
    const bool bounded = request.max_tokens < std::numeric_limits<int64_t>::max();
    const Observation begun(metrics_, bounded ? request.max_tokens : 0);
    auto seen = std::make_shared<std::vector<Observation>>(static_cast<size_t>(request.num_choices), begun);
    return engine_->submit(std::move(request), [seen, on_output = std::move(on_output)](const engine::Output& output) {
      seen->at(static_cast<size_t>(output.choice)).see(output);
      on_output(output);
    });
  }
  void cancel(engine::RequestId id) override { engine_->cancel(id); }
  void cancel(engine::RequestId id, int choice) override { engine_->cancel(id, choice); }
  engine::EngineStats stats() const override { return engine_->stats(); }
  void reset_stats() override { engine_->reset_stats(); }
  void reset() override { engine_->reset(); }
  std::shared_ptr<const engine::EventTrace> trace() const override { return engine_->trace(); }
  int64_t context_window_size() const override { return engine_->context_window_size(); }
  int64_t vocab_size() const override { return engine_->vocab_size(); }
  int64_t hidden_size() const override { return engine_->hidden_size(); }

 private:
  const std::shared_ptr<engine::Engine> engine_;
  const std::shared_ptr<Metrics::Model> metrics_;
};

}  // namespace

std::shared_ptr<engine::Engine> observe(std::shared_ptr<engine::Engine> engine,
                                        std::shared_ptr<Metrics::Model> metrics) {
  return std::make_shared<ObservedEngine>(std::move(engine), std::move(metrics));
}

}  // namespace mlc::serve
