// A conversation held in this process: what `mlc_llm chat` talks to. The same prompts, defaults, stops and text pieces
// as the server's, without JSON.
//
//   LocalChat chat(model, LocalChat::default_params(*model));
//   MLC_TRY(ChatTurn turn, chat.ask("Hello!", [](std::string_view text) { std::cout << text << std::flush; }, &stop));
//   turn.completion_tokens / turn.decode_s;   chat.reset();
//
// One thread at a time; `stop` may be set from a signal handler or another thread and ends the answer within one step.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/choice_text.h"

namespace mlc::protocol {

struct ChatTurn {
  std::string text;
  engine::FinishReason finish = engine::FinishReason::kNone;  // kCancelled: by `stop`
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  double prefill_s = 0;  // as the engine measures them; 0 when stopped early
  double decode_s = 0;
};

class LocalChat {
 public:
  using OnText = std::function<void(std::string_view)>;

  LocalChat(std::shared_ptr<const ServedModel> model, GenerationParams params);
  static GenerationParams default_params(const ServedModel& model);

  // Adds the user's message and the model's answer to the conversation. On an error (the conversation is longer than
  // the context, the template refuses it) the conversation is as before.
  Result<ChatTurn> ask(const std::string& user, const OnText& on_text, const std::atomic<bool>* stop = nullptr);
  // Continues a text without template or history.
  Result<ChatTurn> complete(const std::string& prompt, const OnText& on_text, const std::atomic<bool>* stop = nullptr);

  void reset();  // forgets all messages but the system prompt
  void set_system_prompt(const std::string& text);
  GenerationParams& params() { return params_; }
  const OrderedJson& messages() const { return messages_; }

 private:
  Result<ChatTurn> generate(std::vector<int32_t> prompt, bool continues_text, const OnText& on_text,
                            const std::atomic<bool>* stop);

  std::shared_ptr<const ServedModel> model_;
  GenerationParams params_;
  OrderedJson messages_ = OrderedJson::array();
  std::string system_prompt_;
  uint64_t turns_ = 0;
};

}  // namespace mlc::protocol
