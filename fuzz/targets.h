// What is fuzzed: everything that reads bytes of a stranger. A target takes any bytes and must come back, without a
// crash, a hang or a leak; it may check properties with MLC_CHECK.
//
// Two programs use the targets: `fuzz` (libFuzzer; make fuzz) looks for new inputs, test_fuzz (part of make test) runs
// those of fuzz/corpus/<target>/ again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlc::fuzz {

struct Target {
  std::string name;  // also of its corpus
  void (*run)(std::string_view input);
};

void http_request(std::string_view input);   // bytes of a connection, to a real server
void chat_request(std::string_view input);   // body of a generating request, to each of the APIs
void chat_template(std::string_view input);  // Jinja source, rendered with a conversation
void tool_calls(std::string_view input);     // what a model says, to the parser of any format of calls and thoughts
void grammar(std::string_view input);        // a grammar of any kind, then random tokens through it

inline const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {"http_request", http_request}, {"chat_request", chat_request}, {"chat_template", chat_template},
      {"tool_calls", tool_calls},     {"grammar", grammar},
  };
  return all;
}

}  // namespace mlc::fuzz
