// Stop strings in streamed text: nothing that may turn out to be part of a stop string is let out.
//
//   StopStringMatcher stops({"</s>", "\nUser:"});
//   StopResult r = stops.feed("Hello\nUs");   // r.text == "Hello"; "\nUs" waits
//   r = stops.feed("er: hi");                 // r.stopped; r.text == ""; *r.matched == "\nUser:"
//   send(stops.flush());                      // at the end of the sequence: what waited is plain text after all
//
// The first stop string to be complete wins (of those that end together, the longest), so the outcome does not depend
// on how the text was cut into pieces. Empty stop strings are ignored. One object per sequence.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlc::text {

struct StopResult {
  std::string text;                    // may be shown now
  bool stopped = false;                // a stop string is complete; later text is ignored
  std::optional<std::string> matched;  // which
};

class StopStringMatcher {
 public:
  // `keep_stop`: let the stop string itself out too (OpenAI extension include_stop_str_in_output).
  explicit StopStringMatcher(std::vector<std::string> stops, bool keep_stop = false);
  StopResult feed(std::string_view text);
  std::string flush();
  bool stopped() const { return stopped_; }

 private:
  size_t held_back() const;

  std::vector<std::string> stops_;
  bool keep_stop_;
  bool stopped_ = false;
  std::string pending_;
};

}  // namespace mlc::text
