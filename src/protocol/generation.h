// One request being answered: prompts in the engine, text pieces and JSON out. No sockets: `serve` sends what comes
// out, the terminal chat and the tests read it directly.
//
//   MLC_TRY(auto g, Generation::start(model, chat_request, [] { wake(); }));   // wake runs on the engine thread
//   ... on wake: g->poll();
//   streaming:  for (auto& chunk : g->take_chunks()) …;                        until g->finished()
//   else:       when g->finished(): g->failed() ? *g->failed() : g->body_json()
//
// One thread at a time. Destroying it cancels what still runs in the engine.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/choice_text.h"
#include "protocol/message_parser.h"
#include "protocol/output_queue.h"
#include "protocol/prompt.h"
#include "protocol/responses.h"

namespace mlc::protocol {

// Of the first choice that began. Seconds since the request was submitted; negative: not yet.
struct GenerationTimes {
  double queued = -1;       // until its first step
  double first_token = -1;  // until its first token
};

class Generation {
 public:
  using Notify = std::function<void()>;
  using Model = std::shared_ptr<const ServedModel>;

  // Encodes, checks and submits. `notify` is called on the engine thread whenever there may be something to poll, never
  // after the object is gone.
  static ApiResult<std::unique_ptr<Generation>> start(Model model, const ChatRequest& request, Notify notify);
  static ApiResult<std::unique_ptr<Generation>> start(Model model, const CompletionRequest& request, Notify notify);
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  bool streaming() const { return params_.stream; }
  const std::string& id() const { return head_.id; }
  const std::string& model() const { return head_.model; }
  const Usage& usage() const { return usage_; }
  const GenerationTimes& times() const { return times_; }

  void poll();            // takes what the engine has made
  bool finished() const;  // all choices ended, or one failed
  const std::optional<ApiError>& failed() const { return failed_; }
  // Streaming: the chunks that are ready, the last one after poll() finished everything (usage, if asked for). After a
  // failure: one chunk {"error": …}, and nothing more.
  std::vector<OrderedJson> take_chunks();
  // Not streaming: the whole answer, once finished.
  OrderedJson body_json();

 private:
  struct Choice {
    size_t prompt = 0;  // index into prompts_
    int index = 0;      // within its prompt
    engine::RequestId request = 0;
    ChoiceText text;
    std::optional<MessageParser> parser{};  // chats whose answers are more than text
    Piece all{};                            // not streaming: the pieces joined; streaming: what waits
    bool opened = false;                    // streaming: the role, or the echoed prompt, is out
    bool closed = false;                    // the engine is done with it
  };
  struct EncodedPrompt {
    std::vector<int32_t> ids;
    std::string text;                // shown by echo
    std::vector<ShownToken> tokens;  // for echo with log-probabilities; offsets filled in
    std::vector<engine::TokenLogprob> logprobs;
    int64_t cached_tokens = 0;
  };

  Generation(Model model, GenerationParams params, bool chat);
  void add_prompt(std::vector<int32_t> ids, const std::string* text, bool echo);
  std::optional<ApiError> submit(bool echo, Notify notify);
  void feed(size_t index, const engine::Output& output);
  void add_ends(const ChatRequest& request);
  void parse_answers(const ChatRequest& request, const std::string& prompt, const text::ToolFormat& calls);
  void parse(Choice* choice, Piece* piece);
  bool ready_to_open(const Choice& choice) const;
  Piece opening(const Choice& choice) const;
  std::vector<size_t> best_choices() const;
  void stream_piece(size_t index, Piece piece);
  void add_event(OrderedJson choice);
  void fail(ApiError error);
  void finish_stream();

  Model model_;
  GenerationParams params_;
  ChoiceShape shape_;
  TokenNames names_;
  ResponseHead head_;
  bool echo_ = false;
  std::vector<EncodedPrompt> prompts_;
  std::vector<Choice> choices_;  // best_of per prompt
  std::shared_ptr<OutputQueue> queue_;
  std::vector<OrderedJson> chunks_;
  std::optional<ApiError> failed_;
  bool stream_ended_ = false;
  Usage usage_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  GenerationTimes times_;
};

}  // namespace mlc::protocol
