// Log-probabilities in OpenAI's two shapes.
//
//   chat:        {"content": [{"token", "logprob", "bytes", "top_logprobs": [...]}], "refusal": null}
//   completion:  {"tokens": [...], "token_logprobs": [...], "top_logprobs": [{token: logprob}], "text_offset": [...]}
//
// A token is written as the text it stands for. One that is part of a character is "bytes:\xe2\x82" in completions and
// U+FFFD beside its exact bytes in chats; one without text, or all if asked for or without a tokenizer, "token_id:N".
#pragma once

#include "protocol/choice_text.h"

namespace mlc::protocol {

class TokenNames {
 public:
  TokenNames(const ServedModel& model, bool as_ids) : model_(model), as_ids_(as_ids) {}
  std::string completion_name(int32_t id) const;
  std::string chat_name(int32_t id) const;
  OrderedJson bytes(int32_t id) const;  // list of byte values, or null where the token is named by its id

 private:
  bool by_id(int32_t id) const;
  const ServedModel& model_;
  bool as_ids_;
};

OrderedJson chat_logprobs(const TokenNames& names, const std::vector<ShownToken>& tokens);
OrderedJson completion_logprobs(const TokenNames& names, const std::vector<ShownToken>& tokens);
OrderedJson ids_json(const Piece& piece);  // the generated tokens'

}  // namespace mlc::protocol
