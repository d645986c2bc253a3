#include "protocol/text_api.h"

#include "protocol/messages_api.h"
#include "protocol/prompt.h"

namespace mlc::protocol {
namespace {

using Model = std::shared_ptr<const ServedModel>;

struct Parsed {
  Json body;
  Model model;
};

ApiResult<Parsed> parse(const ModelList& models, std::string_view text) {
  MLC_TRY(Json body, parse_body(text));
  Fields f(body);
  const std::string name = f.string("model").value_or("");
  if (f.failed()) return f.error();
  MLC_TRY(Model model, models.find(name));
  return Parsed{std::move(body), std::move(model)};
}

ApiResult<const text::Tokenizer*> tokenizer_of(const ServedModel& model) {
  if (model.tokenizer) return &*model.tokenizer;
  return unsupported("model", "This model was loaded without a tokenizer.");
}

// A token as a client may show it: its text, or its bytes when it is only part of a character.
OrderedJson piece_of(const text::Tokenizer& tokenizer, int32_t id) {
  const std::string bytes(tokenizer.token_bytes(id));
  const OrderedJson text = bytes;
  if (OrderedJson::parse(dump(text)) == text) return text;
  OrderedJson list = OrderedJson::array();
  for (const char c : bytes) list.push_back(static_cast<unsigned char>(c));
  return list;
}

ApiResult<std::vector<int32_t>> ids_of_body(const Parsed& p, const text::Tokenizer& tokenizer) {
  Fields f(p.body);
  if (p.body.contains("messages")) {
    MLC_TRY(const ChatRequest request, parse_chat_request(p.body, p.model->defaults));
    return encode_chat(*p.model, request);
  }
  const char* field = p.body.contains("content") ? "content" : "prompt";
  const auto text = f.string(field);
  const bool llama = std::string_view(field) == "content";  // llama.cpp adds special tokens only when told to
  const bool special = f.boolean(llama ? "add_special" : "add_special_tokens").value_or(!llama);
  if (!f.failed() && !text) f.fail(bad_value("prompt", "missing", "a string, or \"messages\""));
  if (f.failed()) return f.error();
  auto ids = tokenizer.encode(*text, special);
  if (!ids) return from_error(ids.error(), field);
  return std::move(*ids);
}

}  // namespace

ApiResult<OrderedJson> tokenize(const ModelList& models, std::string_view body) {
  MLC_TRY(const Parsed p, parse(models, body));
  MLC_TRY(const text::Tokenizer* tokenizer, tokenizer_of(*p.model));
  MLC_TRY(const std::vector<int32_t> ids, ids_of_body(p, *tokenizer));
  Fields f(p.body);
  const bool strings = f.boolean("return_token_strs").value_or(false);
  const bool pieces = f.boolean("with_pieces").value_or(false);
  if (f.failed()) return f.error();
  OrderedJson out = {{"count", ids.size()}, {"max_model_len", p.model->engine->context_window_size()}};
  out["tokens"] = ids;
  if (pieces) {
    out["tokens"] = OrderedJson::array();
    for (const int32_t id : ids) out["tokens"].push_back({{"id", id}, {"piece", piece_of(*tokenizer, id)}});
  }
  if (strings) {
    out["token_strs"] = OrderedJson::array();
    for (const int32_t id : ids) out["token_strs"].push_back(tokenizer->id_to_token(id).value_or(""));
  }
  return out;
}

ApiResult<OrderedJson> detokenize(const ModelList& models, std::string_view body) {
  MLC_TRY(const Parsed p, parse(models, body));
  MLC_TRY(const text::Tokenizer* tokenizer, tokenizer_of(*p.model));
  const auto tokens = p.body.find("tokens");
  if (tokens == p.body.end()) return bad_value("tokens", "missing", "a list of token ids");
  MLC_TRY(const std::vector<int32_t> ids, token_ids(*tokens, "tokens"));
  auto text = tokenizer->decode(ids, /*skip_special_tokens=*/false);
  if (!text) return from_error(text.error(), "tokens");
  return OrderedJson{{"prompt", *text}, {"content", *text}};
}

ApiResult<OrderedJson> apply_template(const ModelList& models, std::string_view body) {
  MLC_TRY(const Parsed p, parse(models, body));
  MLC_TRY(const ChatRequest request, parse_chat_request(p.body, p.model->defaults));
  MLC_TRY(const text::RenderedPrompt prompt, render_chat(*p.model, request));
  return OrderedJson{{"prompt", prompt.text}};
}

ApiResult<OrderedJson> count_tokens(const ModelList& models, std::string_view body) {
  MLC_TRY(const Parsed p, parse(models, body));
  MLC_TRY(const MessagesRequest request, parse_messages_request(p.body, /*counting=*/true));
  MLC_TRY(const ChatRequest chat, parse_chat_request(request.chat, p.model->defaults));
  MLC_TRY(const std::vector<int32_t> ids, encode_chat(*p.model, chat));
  return OrderedJson{{"input_tokens", ids.size()}};
}

}  // namespace mlc::protocol
