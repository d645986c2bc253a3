// Calls as JSON between marks: the table-driven parser for MarkupRules (tool_format.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/output/call_object.h"
#include "text/output/tool_parser.h"

namespace mlc::text {

class MarkupParser : public ToolParser {
 public:
  MarkupParser(const MarkupRules& rules, const ToolNames& tools, EventList* out);
  void put(char c) override;
  void end(bool truncated) override;

 private:
  enum class State {
    kText,       // content, or the beginning of a mark in held_
    kSection,    // a section is open: only an opening mark may follow
    kOpened,     // after an opening mark
    kWord,       // a name, or a call's id
    kAfterName,  // the arguments come
    kArguments,
    kObject,
    kListItem,  // after '[' or ','
    kListNext,  // after an object in a list
    kAfterCall,
  };

  void put_text(char c);
  void put_content(char c);
  void put_section(char c);
  void put_opened(char c);
  void put_word(char c);
  void put_after_name(char c);
  void put_arguments(char c);
  void put_object(char c);
  void put_list(char c);
  void put_after_call(char c);

  void open_object();
  void word_done(std::string_view mark);
  void start_arguments();
  bool follow_object();
  void object_done();
  void object_broken(char c);
  void call_done();
  void fall_back();
  void fall_back_and_put(char c);
  bool acceptable(std::string_view name) const;

  const MarkupRules& rules_;
  const ToolNames& tools_;
  State state_ = State::kText;
  std::string held_;          // may become a mark
  std::string raw_;           // all of a call that is not sure yet, as it was written
  bool tail_ = false;         // raw_ begins with the prompt's last mark, which is not part of the text
  bool fresh_ = true;         // nothing but space so far: a bare call may begin
  bool bare_ = false;         // the call has no mark
  bool list_ = false;         // it is in a list
  bool any_in_list_ = false;  // a call of the list is done
  bool in_id_ = false;        // the word is an id
  std::string word_, name_, id_, fence_, gap_;
  std::string_view name_mark_;  // what ended the name
  CallObject object_;
  JsonScanner scanner_;
  bool told_ = false;   // the call was begun in the events
  bool ended_ = false;  // and ended
};

}  // namespace mlc::text
