// A call written as a JSON object, {"name": "f", "arguments": {...}}, read character by character.
//
//   CallObject call;
//   while (call.put(c)) ...                  // false: done, or broken; c was not taken
//   call.named()                             // the name is known
//   call.take_arguments()                    // what arrived of the arguments since the last time
//
// The keys may come in any order, and under the names that models use: name, tool_name, function; arguments,
// parameters, args; id, tool_call_id. An object may be nested as OpenAI nests it, {"type": "function", "function":
// {...}}. Other keys are left out. Arguments given as a string are taken for the JSON in it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "text/output/json_scanner.h"

namespace mlc::text {

class CallObject {
 public:
  using Status = JsonScanner::Status;

  // `strict`: a key that no call has breaks it; for objects that may as well be an answer in JSON.
  explicit CallObject(bool strict = false) : strict_(strict) {}

  bool put(char c);
  Status status() const { return status_; }

  bool named() const { return !name_.empty(); }
  const std::string& name() const { return name_; }
  const std::string& id() const { return id_; }
  // The arguments have begun, so that this is a call, if it has a name.
  bool has_arguments() const { return begun_; }
  bool arguments_done() const { return arguments_done_; }
  std::string take_arguments() { return std::exchange(arguments_, {}); }

 private:
  enum class State { kStart, kKeyOrEnd, kKey, kInKey, kColon, kValueStart, kValue, kCommaOrEnd };
  enum class Role { kOther, kName, kArguments, kId };

  bool put_in_key(char c);
  bool put_in_value(char c);
  bool start_value(char c);
  bool value_done();
  bool fail() {
    status_ = Status::kBroken;
    return false;
  }

  bool strict_;
  Status status_ = Status::kMore;
  State state_ = State::kStart;
  int depth_ = 0;  // objects that are open: 2 inside of "function"
  Role role_ = Role::kOther;
  JsonScanner scanner_;
  std::string key_, value_;  // JSON text while they arrive
  bool streams_ = false;     // the value goes to arguments_ as it comes
  std::string name_, id_, arguments_;
  bool begun_ = false;
  bool arguments_done_ = false;
};

}  // namespace mlc::text
