// The text of an answer, taken apart: reasoning, content, calls of tools.
//
//   OutputParser parser({.format = model.format, .tools = request.tools,
//                        .reasoning_open = reasoning_is_open(*model.format.reasoning, prompt)});
//   for (auto piece : pieces) for (const OutputEvent& e : parser.feed(piece)) ...
//   for (const OutputEvent& e : parser.finish(/*truncated=*/false)) ...
//
// What comes out, joined, depends on the text alone, never on how it was cut (bytes of a character may be cut, too).
// Nothing is lost: what is no markup of the format is content. One object per answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/output/tool_parser.h"

namespace mlc::text {

struct OutputParserOptions {
  OutputFormat format;
  OrderedJson tools = OrderedJson::array();  // none: calls are not looked for
  bool reasoning_open = false;               // the prompt ends inside of reasoning
};

// Whether the model goes on with reasoning after this prompt.
bool reasoning_is_open(const ReasoningFormat& format, std::string_view prompt);
// Whether answers need to be parsed at all.
bool needs_parsing(const OutputFormat& format, bool has_tools);

class OutputParser {
 public:
  explicit OutputParser(const OutputParserOptions& options);

  std::vector<OutputEvent> feed(std::string_view text);
  std::vector<OutputEvent> finish(bool truncated);

  // Whether the character at this place of the text, counted in characters, belongs to reasoning (marks included). To
  // be asked about text that was fed.
  bool is_reasoning(size_t offset) const;

 private:
  enum class State { kStart, kReasoning, kAfterReasoning, kRest };

  void put(char c);
  void put_start(char c);
  void put_reasoning(char c);
  void put_rest(char c);
  void track_reasoning();

  ReasoningFormat reasoning_;
  ToolNames tools_;
  EventList events_;
  std::unique_ptr<ToolParser> parser_;  // null: the rest is content
  State state_ = State::kRest;
  bool any_reasoning_ = false;
  std::string held_;   // may become a mark
  std::string space_;  // at the end of reasoning; dropped before its closing mark
  size_t characters_ = 0;
  std::vector<std::pair<size_t, size_t>> spans_;  // of reasoning: [begin, end)
  bool in_span_ = false;
};

}  // namespace mlc::text
