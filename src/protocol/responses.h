// The JSON bodies of answers, whole and streamed. Pure functions of what they show.
#pragma once

#include <optional>

#include "protocol/logprobs.h"

namespace mlc::protocol {

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompts: found in the prefix cache
  // Of the completion tokens; unset: what the model thinks is not told apart.
  std::optional<int64_t> reasoning_tokens{};
  OrderedJson json() const;
};

// What every body of one answer repeats.
struct ResponseHead {
  std::string id;  // "chatcmpl-…" or "cmpl-…"
  std::string model;
  std::string fingerprint;
  int64_t created = 0;  // seconds since 1970
};

// Which parts of a choice were asked for.
struct ChoiceShape {
  bool chat = true;
  bool logprobs = false;
  bool token_ids = false;
  bool legacy_calls = false;  // function_call instead of tool_calls
  bool named_call = false;    // tool_choice names the tool: OpenAI ends such an answer with "stop"
};

// "stop", "length", "tool_calls" ("function_call")
const char* finish_name(const ChoiceShape& shape, const Piece& piece);

// {"id", "object", "created", "model", "system_fingerprint", "choices"}; `chunk`: one event of a stream.
OrderedJson response_body(const ResponseHead& head, bool chat, bool chunk, OrderedJson choices);
// One choice of a whole answer, from all of its pieces joined.
OrderedJson whole_choice(const ChoiceShape& shape, const TokenNames& names, int index, const Piece& piece);
// One choice of a stream chunk. A finish reason goes with it if the piece has one.
OrderedJson chunk_choice(const ChoiceShape& shape, const TokenNames& names, int index, const Piece& piece);
// The first chunk of a chat choice: who speaks.
OrderedJson role_choice(int index);

std::string random_hex();                   // 32 digits, for ids
int64_t unix_seconds();                     // now
std::string dump(const OrderedJson& json);  // one line; bytes that are not UTF-8 become U+FFFD

}  // namespace mlc::protocol
