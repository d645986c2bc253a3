#include "protocol/logprobs.h"

#include <algorithm>
#include <cmath>

#include "text/utf8.h"

namespace mlc::protocol {
namespace {

// JSON has no infinities; a token that cannot be gets what OpenAI's servers send for it.
double finite(float logprob) { return std::isfinite(logprob) ? static_cast<double>(logprob) : -9999.0; }

std::string id_name(int32_t id) { return fmt::format("token_id:{}", id); }

OrderedJson chat_entry(const TokenNames& names, int32_t id, float logprob) {
  return {{"token", names.chat_name(id)}, {"logprob", finite(logprob)}, {"bytes", names.bytes(id)}};
}

// The alternatives by name, and the token itself. Two tokens may share a name; the likelier one stands.
OrderedJson completion_top(const TokenNames& names, const engine::TokenLogprob& l) {
  OrderedJson top = OrderedJson::object();
  for (const auto& [id, logprob] : l.top) top.emplace(names.completion_name(id), finite(logprob));
  top.emplace(names.completion_name(l.token), finite(l.logprob));
  return top;
}

}  // namespace

bool TokenNames::by_id(int32_t id) const {
  return as_ids_ || !model_.tokenizer || !model_.tokenizer->exists(id) || model_.tokenizer->token_bytes(id).empty();
}

std::string TokenNames::completion_name(int32_t id) const {
  if (by_id(id)) return id_name(id);
  const std::string_view raw = model_.tokenizer->token_bytes(id);
  if (text::find_invalid_utf8(raw) == std::string_view::npos) return std::string(raw);
  std::string name = "bytes:";
  for (const char c : raw) name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return name;
}

std::string TokenNames::chat_name(int32_t id) const {
  return by_id(id) ? id_name(id) : text::replace_invalid(model_.tokenizer->token_bytes(id));
}

OrderedJson TokenNames::bytes(int32_t id) const {
  if (by_id(id)) return nullptr;
  OrderedJson list = OrderedJson::array();
  for (const char c : model_.tokenizer->token_bytes(id)) list.push_back(static_cast<unsigned char>(c));
  return list;
}

OrderedJson chat_logprobs(const TokenNames& names, const std::vector<ShownToken>& tokens) {
  OrderedJson content = OrderedJson::array();
  for (const ShownToken& token : tokens) {
    if (!token.logprob) continue;
    OrderedJson entry = chat_entry(names, token.id, token.logprob->logprob);
    entry["top_logprobs"] = OrderedJson::array();
    for (const auto& [id, logprob] : token.logprob->top) {
      entry["top_logprobs"].push_back(chat_entry(names, id, logprob));
    }
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

OrderedJson completion_logprobs(const TokenNames& names, const std::vector<ShownToken>& tokens) {
  OrderedJson out = {{"tokens", OrderedJson::array()},
                     {"token_logprobs", OrderedJson::array()},
                     {"top_logprobs", OrderedJson::array()},
                     {"text_offset", OrderedJson::array()}};
  for (const ShownToken& token : tokens) {
    out["tokens"].push_back(names.completion_name(token.id));
    out["text_offset"].push_back(token.offset);
    const bool known = token.logprob.has_value();  // the first prompt token has none
    out["token_logprobs"].push_back(known ? OrderedJson(finite(token.logprob->logprob)) : OrderedJson(nullptr));
    out["top_logprobs"].push_back(known ? completion_top(names, *token.logprob) : OrderedJson(nullptr));
  }
  return out;
}

OrderedJson ids_json(const Piece& piece) {
  OrderedJson ids = OrderedJson::array();
  for (size_t i = piece.num_prompt_tokens; i < piece.tokens.size(); ++i) ids.push_back(piece.tokens[i].id);
  return ids;
}

}  // namespace mlc::protocol
