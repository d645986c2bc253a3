// What a model's text turns out to be: content, reasoning, or calls of tools, in the order in which it was written.
//
//   EventList out;
//   out.content("Let me look. ");      // the space waits: before a call it is dropped
//   out.begin_call("get_weather");
//   out.arguments("{\"city\": ");  out.arguments("\"Köln\"}");
//   out.end_call();
//   for (const OutputEvent& e : out.take()) ...
//
// Pieces of one kind that follow each other are one event, so what comes out depends on the text alone.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mlc::text {

struct OutputEvent {
  enum class Kind {
    kContent,     // text: what to show
    kReasoning,   // text: what the model thinks
    kCall,        // text: the name of the tool; id: what the model calls this call, or empty
    kArguments,   // text: a piece of the call's arguments, JSON
    kCallEnd,     // the arguments are one JSON object now
    kCallBroken,  // the arguments are no JSON after all; text: all that the model wrote for this call
  };
  Kind kind = Kind::kContent;
  std::string text{};
  std::string id{};
  bool operator==(const OutputEvent&) const = default;
};

class EventList {
 public:
  // `hold_space`: white space at the end of content waits until it is clear whether a call follows, and goes then.
  explicit EventList(bool hold_space = false) : hold_space_(hold_space) {}

  void content(std::string_view text);
  void reasoning(std::string_view text) { add(OutputEvent::Kind::kReasoning, text); }
  void begin_call(std::string_view name, std::string_view id = {});
  void arguments(std::string_view text) { add(OutputEvent::Kind::kArguments, text); }
  void end_call() { events_.push_back({OutputEvent::Kind::kCallEnd}); }
  void break_call(std::string raw) { events_.push_back({OutputEvent::Kind::kCallBroken, std::move(raw)}); }
  void skip_space() { skip_space_ = true; }  // white space is dropped until other content comes
  void finish();                             // space that waits is content after all, unless calls came before it
  std::vector<OutputEvent> take() { return std::exchange(events_, {}); }

 private:
  void add(OutputEvent::Kind kind, std::string_view text);

  std::vector<OutputEvent> events_;
  std::string space_;  // waits
  bool hold_space_;
  bool skip_space_ = false;
  bool called_ = false;
};

// Joins events that follow each other and belong together, as if they had been taken at once.
std::vector<OutputEvent> join_events(std::vector<OutputEvent> events);

}  // namespace mlc::text
