#include "protocol/responses.h"

#include <chrono>
#include <random>

namespace mlc::protocol {
namespace {

OrderedJson logprobs_json(const ChoiceShape& shape, const TokenNames& names, const std::vector<ShownToken>& tokens) {
  if (!shape.logprobs) return nullptr;
  return shape.chat ? chat_logprobs(names, tokens) : completion_logprobs(names, tokens);
}

OrderedJson finish_json(const ChoiceShape& shape, const Piece& piece) {
  if (piece.finish == engine::FinishReason::kNone) return nullptr;
  return finish_name(shape, piece);
}

// A whole call, or what a chunk adds to one: `chunk` calls have an index, and id and name only at their beginning.
OrderedJson call_json(const CallDelta& call, bool chunk) {
  OrderedJson function = OrderedJson::object();
  if (!call.name.empty()) function["name"] = call.name;
  function["arguments"] = call.arguments;
  OrderedJson out = OrderedJson::object();
  if (chunk) out["index"] = call.index;
  if (!call.name.empty()) {
    out["id"] = call.id;
    out["type"] = "function";
  }
  out["function"] = std::move(function);
  return out;
}

void add_calls(const ChoiceShape& shape, const Piece& piece, bool chunk, OrderedJson* message) {
  OrderedJson calls = OrderedJson::array();
  for (const CallDelta& call : piece.calls) {
    if (!call.broken) calls.push_back(call_json(call, chunk));
  }
  if (calls.empty()) return;
  if (shape.legacy_calls) {
    (*message)["function_call"] = calls[0]["function"];
  } else {
    (*message)["tool_calls"] = std::move(calls);
  }
}

}  // namespace

OrderedJson Usage::json() const {
  OrderedJson out = {{"prompt_tokens", prompt_tokens},
                     {"completion_tokens", completion_tokens},
                     {"total_tokens", prompt_tokens + completion_tokens}};
  out["prompt_tokens_details"] = {{"cached_tokens", cached_tokens}};
  if (reasoning_tokens) out["completion_tokens_details"] = {{"reasoning_tokens", *reasoning_tokens}};
  return out;
}

const char* finish_name(const ChoiceShape& shape, const Piece& piece) {
  // Errors and cancellations end a response with an error, never with a finish reason.
  if (piece.finish == engine::FinishReason::kLength) return "length";
  return !piece.called || shape.named_call ? "stop" : shape.legacy_calls ? "function_call" : "tool_calls";
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
    OrderedJson message = {{"role", "assistant"}, {"content", piece.text}, {"refusal", nullptr}};
    if (piece.text.empty() && !piece.calls.empty()) message["content"] = nullptr;
    if (!piece.reasoning.empty()) message["reasoning_content"] = piece.reasoning;
    add_calls(shape, piece, false, &message);
    choice["message"] = std::move(message);
  } else {
    choice["text"] = piece.text;
  }
  choice["logprobs"] = logprobs_json(shape, names, piece.tokens);
  choice["finish_reason"] = finish_json(shape, piece);
  if (shape.token_ids) choice["token_ids"] = ids_json(piece);
  return choice;
}

OrderedJson chunk_choice(const ChoiceShape& shape, const TokenNames& names, int index, const Piece& piece) {
  OrderedJson choice = {{"index", index}};
  if (shape.chat) {
    OrderedJson delta = OrderedJson::object();
    if (!piece.reasoning.empty()) delta["reasoning_content"] = piece.reasoning;
    if (!piece.text.empty()) delta["content"] = piece.text;
    add_calls(shape, piece, true, &delta);
    choice["delta"] = std::move(delta);
  } else {
    choice["text"] = piece.text;
  }
  choice["logprobs"] = piece.tokens.empty() ? OrderedJson(nullptr) : logprobs_json(shape, names, piece.tokens);
  choice["finish_reason"] = finish_json(shape, piece);
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
