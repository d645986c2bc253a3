// The channels of gpt-oss: https://cookbook.openai.com/articles/openai-harmony
//
//   <|channel|>analysis<|message|>The user asks …<|end|><|start|>assistant<|channel|>commentary
//   to=functions.get_weather
//   <|constrain|>json<|message|>{"city": "Köln"}<|call|>
//
// "analysis" is reasoning; "commentary" with a recipient is a call; anything else is content. Text without any header
// is content, too.
#pragma once

#include <string>
#include <string_view>

#include "text/output/json_scanner.h"
#include "text/output/marks.h"
#include "text/output/tool_parser.h"

namespace mlc::text {

class HarmonyParser : public ToolParser {
 public:
  explicit HarmonyParser(EventList* out);
  void put(char c) override;
  void end(bool truncated) override;
  bool reasons() const override { return state_ == State::kBody && body_ == Body::kReasoning; }

 private:
  enum class State { kHeader, kBody };
  enum class Body { kContent, kReasoning, kCall };

  void put_token(std::string_view token);
  void put_text(char c);
  void put_argument(char c);
  void open_body();
  void close_body(bool truncated);
  void give_up();

  Marks tokens_;
  State state_ = State::kHeader;
  Body body_ = Body::kContent;
  std::string held_;
  std::string header_;   // as it was written
  std::string channel_;  // what follows <|channel|> in it
  bool in_channel_ = false;
  std::string name_, raw_;
  JsonScanner scanner_;
  bool told_ = false;
};

}  // namespace mlc::text
