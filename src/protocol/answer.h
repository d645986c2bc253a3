// What the client of one request that asks the model gets, in the words of the API that was asked.
//
//   MLC_TRY(auto answer, start_request(models, Endpoint::kChat, body, [] { wake(); }));
//   on wake: answer->poll();
//     streaming:  send(answer->take_events());               // server-sent events, ready to send; until finished()
//     else:       when finished(): failed() ? answer->error_json(*failed()) : answer->body()
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "protocol/generation.h"

namespace mlc::protocol {

// For the log and the metrics.
struct AnswerFacts {
  std::string model;
  int64_t prompt_tokens = 0, completion_tokens = 0;
  GenerationTimes times;
  std::vector<std::string> finish_reasons;  // "stop", "length", "tool_calls", one per finished choice
};

class Answer {
 public:
  Answer() = default;
  virtual ~Answer() = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  virtual bool streaming() const = 0;
  virtual void poll() = 0;
  virtual bool finished() const = 0;
  virtual const std::optional<ApiError>& failed() const = 0;
  virtual std::string take_events() = 0;  // the closing event included, once finished
  virtual std::string body() = 0;         // not streaming, finished, not failed
  virtual OrderedJson error_json(const ApiError& e) const { return e.json(); }
  virtual AnswerFacts facts() const = 0;
};

// OpenAI's chat and text completions, as Generation makes them. Other APIs derive from it and translate chunk by chunk
// (responses_api.h, messages_api.h): what a model says is decided in one place.
class GenerationAnswer : public Answer {
 public:
  explicit GenerationAnswer(std::unique_ptr<Generation> generation) : generation_(std::move(generation)) {}

  bool streaming() const override { return generation_->streaming(); }
  void poll() override { generation_->poll(); }
  bool finished() const override { return generation_->finished(); }
  const std::optional<ApiError>& failed() const override { return generation_->failed(); }
  std::string take_events() override;
  std::string body() override;
  AnswerFacts facts() const override;

 protected:
  // One chat.completion.chunk (or text_completion) as events.
  virtual std::string translate(const OrderedJson& chunk);
  virtual std::string closing();  // after the last chunk of a stream that did not fail
  virtual std::string failure(const ApiError& e);
  virtual OrderedJson translate_whole(OrderedJson body) { return body; }

 private:
  void note_finish(const OrderedJson& chunk);

  std::unique_ptr<Generation> generation_;
  std::vector<std::string> finish_reasons_;
  bool closed_ = false;
};

std::string sse_event(const std::string& data);                           // "data: …\n\n"
std::string sse_event(const std::string& name, const OrderedJson& data);  // "event: …\ndata: …\n\n"

}  // namespace mlc::protocol
