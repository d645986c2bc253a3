#include "text/output/call_object.h"

#include <algorithm>
#include <iterator>

#include "base/json.h"

namespace mlc::text {
namespace {

constexpr std::string_view kKeys[] = {"name",       "tool_name", "function", "type",        "arguments",
                                      "parameters", "args",      "id",       "tool_call_id"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string decode_string(const std::string& json) {
  const Json value = Json::parse(json, nullptr, false);
  return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

bool CallObject::put(char c) {
  if (status_ != Status::kMore) return false;
  if (state_ == State::kValue) return put_in_value(c);
  if (state_ == State::kInKey) return put_in_key(c);
  if (is_space(c)) return true;
  switch (state_) {
    case State::kStart:
      if (c != '{') return fail();
      depth_ = 1;
      state_ = State::kKeyOrEnd;
      return true;
    case State::kKeyOrEnd:
    case State::kKey:
      if (c == '"' || c == '\'') {
        scanner_ = JsonScanner();
        key_.clear();
        scanner_.put(c, &key_);
        state_ = State::kInKey;
        return true;
      }
      [[fallthrough]];
    case State::kCommaOrEnd:
      if (c == ',' && state_ == State::kCommaOrEnd) {
        state_ = State::kKey;
        return true;
      }
      if (c != '}') return fail();
      if (--depth_ == 0) status_ = Status::kDone;
      state_ = State::kCommaOrEnd;
      return true;
    case State::kColon:
      if (c != ':') return fail();
      state_ = State::kValueStart;
      return true;
    default:
      return start_value(c);
  }
}

bool CallObject::put_in_key(char c) {
  scanner_.put(c, &key_);
  if (scanner_.status() != Status::kDone) return true;
  key_ = decode_string(key_);
  state_ = State::kColon;
  return !strict_ || std::find(std::begin(kKeys), std::end(kKeys), key_) != std::end(kKeys) || fail();
}

bool CallObject::start_value(char c) {
  const std::string& key = key_;
  const bool object = c == '{';
  if (key == "function" && object && depth_ == 1) {
    ++depth_;
    state_ = State::kKeyOrEnd;
    return true;
  }
  const bool names = key == "name" || key == "tool_name" || key == "function";
  const bool argues = key == "arguments" || key == "parameters" || key == "args";
  role_ = names ? Role::kName : argues ? Role::kArguments : Role::kOther;
  if (key == "id" || key == "tool_call_id") role_ = Role::kId;
  const bool quote = c == '"' || c == '\'';
  if (role_ == Role::kName && (!quote || named())) return fail();
  if (role_ == Role::kArguments && (begun_ || (!object && !quote && c != 'n'))) return fail();
  streams_ = role_ == Role::kArguments && object;
  begun_ = begun_ || streams_;
  scanner_ = JsonScanner();
  value_.clear();
  state_ = State::kValue;
  return put_in_value(c);
}

bool CallObject::put_in_value(char c) {
  const bool taken = scanner_.put(c, streams_ ? &arguments_ : &value_);
  if (scanner_.status() == Status::kBroken) return fail();
  if (scanner_.status() == Status::kDone && !value_done()) return false;
  return taken || put(c);  // a number ends at what follows it
}

bool CallObject::value_done() {
  state_ = State::kCommaOrEnd;
  if (role_ == Role::kName) {
    name_ = decode_string(value_);
    return !name_.empty() || fail();
  }
  if (role_ == Role::kId) id_ = decode_string(value_);
  if (role_ != Role::kArguments) return true;
  if (!streams_) {  // JSON in a string, or null
    const std::string text = value_ == "null" ? "{}" : decode_string(value_);
    if (!OrderedJson::parse(text, nullptr, false).is_object()) return fail();
    arguments_ += text;
    begun_ = true;
  }
  arguments_done_ = true;
  return true;
}

}  // namespace mlc::text
