#include "protocol/responses.h"

#include <chrono>
#include <random>

namespace mlc::protocol {
namespace {

OrderedJson logprobs_json(const ChoiceShape& shape, const TokenNames& names, const std::vector<ShownToken>& tokens) {
  if (!shape.logprobs) return nullptr;
  return shape.chat ? chat_logprobs(names, tokens) : completion_logprobs(names, tokens);
}

OrderedJson finish_json(engine::FinishReason reason) {
  return reason == engine::FinishReason::kNone ? OrderedJson(nullptr) : OrderedJson(finish_name(reason));
}

}  // namespace

OrderedJson Usage::json() const {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", cached_tokens}}}};
}

const char* finish_name(engine::FinishReason reason) {
  // Errors and cancellations end a response with an error, never with a finish reason.
  return reason == engine::FinishReason::kLength ? "length" : "stop";
}

OrderedJson response_body(const ResponseHead& head, bool chat, bool chunk, OrderedJson choices) {
  const char* object = !chat ? "text_completion" : chunk ? "chat.completion.chunk" : "chat.completion";
  return {{"id", head.id},
          {"object", object},
          {"created", head.created},
          {"model", head.model},
          {"system_fingerprint", head.fingerprint},
          {"choices", std::move(choices)}};
}

OrderedJson whole_choice(const ChoiceShape& shape, const TokenNames& names, int index, const Piece& piece) {
  OrderedJson choice = {{"index", index}};
  if (shape.chat) {
    choice["message"] = {{"role", "assistant"}, {"content", piece.text}, {"refusal", nullptr}};
  } else {
    choice["text"] = piece.text;
  }
  choice["logprobs"] = logprobs_json(shape, names, piece.tokens);
  choice["finish_reason"] = finish_json(piece.finish);
  if (shape.token_ids) choice["token_ids"] = ids_json(piece);
  return choice;
}

OrderedJson chunk_choice(const ChoiceShape& shape, const TokenNames& names, int index, const Piece& piece) {
  OrderedJson choice = {{"index", index}};
  if (shape.chat) {
    choice["delta"] = OrderedJson::object();
    if (!piece.text.empty()) choice["delta"]["content"] = piece.text;
  } else {
    choice["text"] = piece.text;
  }
  choice["logprobs"] = piece.tokens.empty() ? OrderedJson(nullptr) : logprobs_json(shape, names, piece.tokens);
  choice["finish_reason"] = finish_json(piece.finish);
  if (shape.token_ids) choice["token_ids"] = ids_json(piece);
  return choice;
}

OrderedJson role_choice(int index) {
  return {{"index", index},
          {"delta", {{"role", "assistant"}, {"content", ""}}},
          {"logprobs", nullptr},
          {"finish_reason", nullptr}};
}

std::string random_hex() {
  static thread_local std::mt19937_64 source{(uint64_t{std::random_device{}()} << 32) | std::random_device{}()};
  return fmt::format("{:016x}{:016x}", source(), source());
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

}  // namespace mlc::protocol
