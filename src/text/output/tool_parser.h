// Calls in a model's text, found character by character. One of these reads the text of one answer, after its reasoning
// (harmony: all of it).
//
//   auto parser = make_tool_parser(*find_tool_format("hermes"), tools, &events);
//   for (char c : text) parser->put(c);
//   parser->end(/*truncated=*/false);
//
// What does not turn out to be a call is content, markup and all. A call is told of as soon as its name is sure and its
// arguments have begun; if they turn out to be no JSON after that, the call is broken (see OutputEvent).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/output/event.h"
#include "text/output/tool_format.h"

namespace mlc::text {

class ToolParser {
 public:
  explicit ToolParser(EventList* out) : out_(*out) {}
  virtual ~ToolParser() = default;
  ToolParser(const ToolParser&) = delete;
  ToolParser& operator=(const ToolParser&) = delete;

  virtual void put(char c) = 0;
  // `truncated`: the text was cut off (a limit of tokens); a call that is open then stays as it is.
  virtual void end(bool truncated) = 0;
  virtual bool reasons() const { return false; }  // what was put last belongs to reasoning (harmony)

 protected:
  EventList& out_;
};

// The tools of a request, as parsers need them.
class ToolNames {
 public:
  explicit ToolNames(const OrderedJson& tools);  // OpenAI's form
  bool knows(std::string_view name) const { return find(name) != nullptr; }
  bool any_begins_with(std::string_view text) const;
  const std::vector<std::string>& names() const { return names_; }
  // The schema of a parameter; null when the tool or the parameter is not known.
  const OrderedJson* parameter(std::string_view tool, std::string_view name) const;
  std::string parameter_at(std::string_view tool, size_t index) const;  // by place; empty: there is none

 private:
  const OrderedJson* find(std::string_view name) const;  // its parameters' properties

  std::vector<std::string> names_;
  std::vector<OrderedJson> properties_;
};

std::unique_ptr<ToolParser> make_tool_parser(const ToolFormat& format, const ToolNames& tools, EventList* out);

}  // namespace mlc::text
