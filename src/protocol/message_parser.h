// The text of a chat answer, taken apart as the request and the model ask for: content, reasoning, calls of tools.
//
//   MessageParser parser(model, request, prompt_text, tool_format(model));
//   parser.apply(&piece);       // the text of a piece becomes what it means; the last piece has a finish reason
//   parser.enough()             // one call was asked for, and it is complete: nothing more is needed
//
// Ids of calls are the model's own where its format has them, else made here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/chat_request.h"
#include "protocol/choice_text.h"
#include "protocol/served_model.h"
#include "text/output/output_parser.h"

namespace mlc::protocol {

class MessageParser {
 public:
  // `calls`: the format in which calls come.
  MessageParser(const ServedModel& model, const ChatRequest& request, std::string_view prompt,
                const text::ToolFormat& calls);

  // Whether answers to such a request need one at all.
  static bool needed(const ServedModel& model, const ChatRequest& request);

  void apply(Piece* piece);
  bool enough() const { return enough_; }
  int64_t reasoning_tokens() const;

 private:
  void take(const std::vector<text::OutputEvent>& events, Piece* piece);
  void begin_call(const text::OutputEvent& event, Piece* piece);

  text::OutputParser parser_;
  bool parallel_, include_reasoning_;
  bool only_calls_;  // calls must come: other text is the beginning of a call that a limit cut off
  int id_length_;
  std::vector<size_t> offsets_;   // of the tokens so far, in characters
  std::vector<std::string> ids_;  // of the calls so far
  size_t num_broken_ = 0;
  bool enough_ = false;
};

// The format in which the model writes calls: its own, or JSON where none is known.
const text::ToolFormat& tool_format(const ServedModel& model);

}  // namespace mlc::protocol
