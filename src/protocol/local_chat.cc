#include "protocol/local_chat.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>

#include "protocol/output_queue.h"
#include "protocol/prompt.h"

namespace mlc::protocol {
namespace {

constexpr std::chrono::milliseconds kStopCheck{20};  // how often a waiting chat looks at `stop`

Error as_error(const ApiError& e) { return error("{}", e.message); }

// Lets the engine thread wake the one that waits for tokens.
class Bell {
 public:
  void ring() {
    std::lock_guard lock(mutex_);
    rung_ = true;
    condition_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    condition_.wait_for(lock, kStopCheck, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

}  // namespace

LocalChat::LocalChat(std::shared_ptr<const ServedModel> model, GenerationParams params)
    : model_(std::move(model)), params_(std::move(params)) {
  set_system_prompt(model_->system_prompt);
}

GenerationParams LocalChat::default_params(const ServedModel& model) {
  GenerationParams p;
  p.sampling = model.defaults.sampling;
  p.max_tokens = model.defaults.max_tokens;
  p.sampling.seed = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  return p;
}

void LocalChat::set_system_prompt(const std::string& text) {
  system_prompt_ = text;
  reset();
}

void LocalChat::reset() {
  messages_ = OrderedJson::array();
  if (!system_prompt_.empty()) messages_.push_back({{"role", "system"}, {"content", system_prompt_}});
}

Result<ChatTurn> LocalChat::ask(const std::string& user, const OnText& on_text, const std::atomic<bool>* stop) {
  ChatRequest request;
  request.messages = messages_;
  request.messages.push_back({{"role", "user"}, {"content", user}});
  auto prompt = encode_chat(*model_, request);
  if (!prompt) return as_error(prompt.error());
  MLC_TRY(ChatTurn turn, generate(std::move(*prompt), false, on_text, stop));
  messages_ = std::move(request.messages);
  messages_.push_back({{"role", "assistant"}, {"content", turn.text}});
  return turn;
}

Result<ChatTurn> LocalChat::complete(const std::string& prompt, const OnText& on_text, const std::atomic<bool>* stop) {
  auto ids = encode_prompt(*model_, prompt, true);
  if (!ids) return as_error(ids.error());
  return generate(std::move(*ids), true, on_text, stop);
}

Result<ChatTurn> LocalChat::generate(std::vector<int32_t> prompt, bool continues_text, const OnText& on_text,
                                     const std::atomic<bool>* stop) {
  if (auto e = check_ids(*model_, params_)) return as_error(*e);
  if (auto e = compile_grammar(*model_, &params_)) return as_error(*e);
  ChatTurn turn;
  turn.prompt_tokens = static_cast<int64_t>(prompt.size());
  engine::Request request = make_request(*model_, params_, std::move(prompt));
  request.sampling.seed += turns_++;  // asking the same thing again may be answered differently
  auto bell = std::make_shared<Bell>();
  auto queue = std::make_shared<OutputQueue>(1, [bell] { bell->ring(); });
  MLC_TRY(const engine::RequestId id, model_->engine->submit(std::move(request), [queue](const engine::Output& output) {
    queue->push(0, output);
  }));
  ChoiceText text(*model_, params_, continues_text);
  while (!text.finished()) {
    bell->wait();
    const bool stopped = stop && stop->load();
    for (const auto& [choice, output] : queue->drain()) {
      text.feed(output);
      turn.prefill_s = output.prefill_s;
      turn.decode_s = output.decode_s;
    }
    if (auto piece = text.take()) {
      turn.finish = piece->finish;
      turn.text += piece->text;
      if (!piece->text.empty()) on_text(piece->text);
      if (piece->finish == engine::FinishReason::kError) return error(ErrorCode::kUnavailable, "{}", piece->error);
    }
    if (stopped && !text.finished()) {
      turn.finish = engine::FinishReason::kCancelled;
      break;
    }
  }
  model_->engine->cancel(id);  // ignored when it has ended
  queue->close();
  turn.completion_tokens = text.completion_tokens();
  return turn;
}

}  // namespace mlc::protocol
