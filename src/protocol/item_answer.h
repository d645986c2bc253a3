// An answer as a sequence of items (thinking, text, tool calls), which is how newer APIs see it. ItemAnswer cuts the
// chunks of a chat completion into items; what derives from it says each item in its API's words.
//
// Order of calls: begin() once; per item start(), grow()*, end(); complete() once. An answer that is not streamed goes
// through the same calls, their events dropped, and is then made by whole().
#pragma once

#include "protocol/answer.h"

namespace mlc::protocol {

struct AnswerItem {
  enum Kind { kReasoning, kText, kCall };
  Kind kind = kText;
  size_t index = 0;     // in the answer
  std::string id;       // made up here: 32 hexadecimal digits, without prefix
  std::string call_id;  // kCall: "call_…"
  std::string name;     // kCall: of the function
  std::string text;     // so far; kCall: the arguments as JSON
};

class ItemAnswer : public GenerationAnswer {
 public:
  ItemAnswer(std::unique_ptr<Generation> generation, bool streaming)
      : GenerationAnswer(std::move(generation)), streaming_(streaming) {}
  bool streaming() const override { return streaming_; }

 protected:
  virtual std::string begin() = 0;
  virtual std::string start(const AnswerItem& item) = 0;
  virtual std::string grow(const AnswerItem& item, const std::string& more) = 0;
  virtual std::string end(const AnswerItem& item) = 0;
  virtual std::string complete() = 0;
  virtual std::string break_off(const ApiError& e) = 0;  // instead of end() and complete()
  virtual OrderedJson whole() = 0;

  const std::vector<AnswerItem>& items() const { return items_; }
  const std::string& finish_reason() const { return finish_reason_; }  // of the chat completion; empty before its end
  int64_t cached_tokens() const { return cached_tokens_; }
  int64_t reasoning_tokens() const { return reasoning_tokens_; }

  std::string translate(const OrderedJson& chunk) final;
  std::string closing() final;
  std::string failure(const ApiError& e) final { return begin_once() + break_off(e); }
  OrderedJson translate_whole(OrderedJson body) final;

 private:
  std::string feed(const OrderedJson& delta);
  std::string add(AnswerItem::Kind kind, const std::string& more);
  std::string add_call(const OrderedJson& call);
  std::string open(AnswerItem item);
  std::string close_open();
  std::string begin_once();
  void read_usage(const OrderedJson& body);

  const bool streaming_;
  bool begun_ = false, open_ = false;  // open_: the last item may still grow
  int64_t call_index_ = -1;            // of the open item, when it is a call
  std::vector<AnswerItem> items_;
  std::string finish_reason_;
  int64_t cached_tokens_ = 0, reasoning_tokens_ = 0;
};

// The fields of `from` that mean the same in every API and need no translation, copied when present: sampling fields
// that go beyond OpenAI's, chat_template_kwargs and the like.
void copy_common_fields(const Json& from, Json* to);

}  // namespace mlc::protocol
