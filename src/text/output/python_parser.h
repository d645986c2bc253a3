// Calls as Python: [get_weather(city="Köln", days=[1, 2]), get_time()], with or without marks around the list, and a
// single call without brackets. Without a mark only calls of the request's tools at the very start of the text count.
// Arguments are passed on one by one; those without a name get the name of the parameter in their place.
#pragma once

#include <string>
#include <string_view>

#include "text/output/marks.h"
#include "text/output/tool_parser.h"

namespace mlc::text {

class PythonParser : public ToolParser {
 public:
  PythonParser(const PythonRules& rules, const ToolNames& tools, EventList* out);
  void put(char c) override;
  void end(bool truncated) override;

 private:
  enum class State {
    kText,
    kList,      // after a mark: '[' or a name
    kName,      // of a tool
    kArgument,  // up to ',' or ')'
    kNext,      // after a call in a list
    kAfter,     // after the list
  };

  void put_text(char c);
  void put_name(char c);
  void put_argument(char c);
  void put_next(char c);
  void put_after(char c);
  void track(char c);
  bool argument_done();
  void call_done();
  void fall_back(char c);

  const PythonRules& rules_;
  const ToolNames& tools_;
  State state_ = State::kText;
  std::string held_, raw_, gap_, name_, argument_;
  bool fresh_ = true;  // nothing but space so far
  bool marked_ = false;
  bool list_ = false;
  bool told_ = false;  // the call that is open
  bool any_ = false;   // a call of the list is done
  size_t arguments_ = 0;
  // Where put_argument is in a literal.
  int depth_ = 0;
  char quote_ = 0;
  int run_ = 0;      // quotes in a row at the beginning of a string
  int closing_ = 0;  // quotes in a row that may end a """string"""
  bool triple_ = false, escaped_ = false;
};

}  // namespace mlc::text
