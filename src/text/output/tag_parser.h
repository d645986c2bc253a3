// Calls as tags with a value per parameter: the table-driven parser for TagRules (tool_format.h).
//
//   <tool_call>\n<function=get_weather>\n<parameter=city>\nKöln\n</parameter>\n</function>\n</tool_call>
//
// Values are text; the schema of the tool's parameters says which of them are numbers, lists and so on. Arguments are
// passed on parameter by parameter.
#pragma once

#include <string>
#include <string_view>

#include "text/output/marks.h"
#include "text/output/tool_parser.h"

namespace mlc::text {

// Whether a parameter with this schema is written as its text, without quotes, rather than as JSON. null: not known.
bool is_text_parameter(const OrderedJson* schema);

class TagParser : public ToolParser {
 public:
  TagParser(const TagRules& rules, const ToolNames& tools, EventList* out);
  void put(char c) override;
  void end(bool truncated) override;

 private:
  enum class State {
    kText,
    kOpened,   // a call's tag must follow
    kName,     // of the tool
    kInCall,   // a parameter's tag, or the call's end
    kKey,      // a parameter's name
    kToValue,  // the tag before the value
    kValue,
    kAfterCall,
  };

  void put_text(char c);
  void put_opened(char c);
  void put_name(char c);
  void put_in_call(char c);
  void put_key(char c);
  void put_to_value(char c);
  void put_value(char c);
  void put_after_call(char c);
  void begin_call(std::string_view name);
  void end_call(State next);
  void value_done();
  bool is_text() const;
  bool in_json_string() const;
  void broken(char c);  // before the call was told: content; after: a broken call
  void requeue(std::string text);

  const TagRules& rules_;
  const ToolNames& tools_;
  Marks opens_, closes_, call_ends_, in_call_;
  State state_ = State::kText;
  std::string held_, raw_, gap_, name_, key_, value_;
  bool told_ = false;
  int arguments_ = 0;
};

}  // namespace mlc::text
