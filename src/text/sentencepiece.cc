// SentencePiece BPE vocabularies (the .model protobuf, llama2.c's copy of it, GGUF's copy of it) to tokenizer.json.
#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "text/convert.h"
#include "text/convert_parts.h"
#include "text/utf8.h"

namespace mlc::text {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space

// Just enough protobuf: walks the fields of one message.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : rest_(bytes) {}
  // False at the end, or when the bytes are no protobuf (then ok() is false).
  bool next() {
    if (rest_.empty() || !ok_) return false;
    uint64_t tag = varint();
    field_ = static_cast<int>(tag >> 3);
    bytes_ = {};
    number_ = 0;
    switch (tag & 7) {
      case 0:
        number_ = varint();
        break;
      case 1:
        bytes_ = take(8);
        break;
      case 2:
        bytes_ = take(varint());
        break;
      case 5:
        bytes_ = take(4);
        break;
      default:
        ok_ = false;
    }
    return ok_ && field_ > 0;
  }
  bool ok() const { return ok_; }
  int field() const { return field_; }
  std::string_view bytes() const { return bytes_; }
  uint64_t number() const { return number_; }
  float number_f32() const {
    float v = 0;
    if (bytes_.size() == 4) std::memcpy(&v, bytes_.data(), 4);
    return v;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      uint8_t byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

  std::string_view rest_;
  std::string_view bytes_;
  uint64_t number_ = 0;
  int field_ = 0;
  bool ok_ = true;
};

bool read_piece(std::string_view bytes, Piece& piece) {
  ProtoReader in(bytes);
  while (in.next()) {
    if (in.field() == 1) piece.text = std::string(in.bytes());
    if (in.field() == 2) piece.score = in.number_f32();
    if (in.field() == 3 && in.number() >= 1 && in.number() <= 6) piece.type = static_cast<PieceType>(in.number());
  }
  return in.ok();
}

bool read_trainer(std::string_view bytes, PieceModel& model, int& kind) {
  ProtoReader in(bytes);
  while (in.next()) {
    int32_t number = static_cast<int32_t>(in.number());
    if (in.field() == 3) kind = number;
    if (in.field() == 40) model.unk_id = number;
    if (in.field() == 41) model.bos_id = number;
    if (in.field() == 42) model.eos_id = number;
  }
  return in.ok();
}

bool read_normalizer(std::string_view bytes, PieceModel& model) {
  ProtoReader in(bytes);
  model.remove_extra_whitespace = true;  // the format's default
  while (in.next()) {
    if (in.field() == 2) model.precompiled_charsmap = std::string(in.bytes());
    if (in.field() == 3) model.add_dummy_prefix = in.number() != 0;
    if (in.field() == 4) model.remove_extra_whitespace = in.number() != 0;
  }
  return in.ok();
}

OrderedJson replace_step(const OrderedJson& pattern, std::string_view content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", std::string(content)}};
}

// What happens to the text before the merges: SentencePiece's own table, extra spaces, a space in front, the marks.
void add_normalizers(const PieceModel& model, OrderedJson& out) {
  OrderedJson steps = OrderedJson::array();
  if (!model.precompiled_charsmap.empty()) {
    steps.push_back({{"type", "Precompiled"}, {"precompiled_charsmap", base64_encode(model.precompiled_charsmap)}});
  }
  if (model.remove_extra_whitespace) {
    steps.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
    steps.push_back(replace_step({{"Regex", " {2,}"}}, " "));
  }
  out["pre_tokenizer"] = nullptr;
  if (model.add_dummy_prefix && model.prefix_only_at_start) {
    out["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", kMark}, {"prepend_scheme", "first"}, {"split", false}};
  } else {
    if (model.add_dummy_prefix) steps.push_back({{"type", "Prepend"}, {"prepend", kMark}});
    steps.push_back(replace_step({{"String", " "}}, kMark));
  }
  out["normalizer"] = steps.empty() ? OrderedJson() : OrderedJson{{"type", "Sequence"}, {"normalizers", steps}};
}

OrderedJson decoder_of(const PieceModel& model) {
  OrderedJson steps = OrderedJson::array();
  steps.push_back(replace_step({{"String", kMark}}, " "));
  steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (model.add_dummy_prefix) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", steps}};
}

// SentencePiece merges the pair whose result has the best score; pieces of the same score keep their order.
std::unordered_map<std::string, int64_t> rank_by_score(const std::vector<Piece>& pieces) {
  std::vector<size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return pieces[a].score > pieces[b].score; });
  std::unordered_map<std::string, int64_t> rank;
  for (size_t i = 0; i < order.size(); ++i) {
    const Piece& piece = pieces[order[i]];
    if (piece.type == PieceType::kNormal) rank.emplace(piece.text, static_cast<int64_t>(i));
  }
  return rank;
}

std::string same(std::string_view text) { return std::string(text); }

}  // namespace

Result<std::string> tokenizer_from_pieces(const PieceModel& model) {
  const auto& pieces = model.pieces;
  auto valid = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < pieces.size(); };
  if (pieces.empty()) return error(ErrorCode::kCorrupt, "the vocabulary is empty");
  OrderedJson vocab = OrderedJson::object();
  std::vector<AddedToken> added;
  bool byte_fallback = false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece& p = pieces[i];
    if (size_t at = find_invalid_utf8(p.text); at != std::string::npos) {
      return error(ErrorCode::kCorrupt, "token {} is not valid UTF-8", i);
    }
    append_entry(vocab, p.text, i);
    byte_fallback |= p.type == PieceType::kByte;
    bool control = p.type == PieceType::kControl || p.type == PieceType::kUnknown;
    if (control || p.type == PieceType::kUserDefined) added.push_back({static_cast<int32_t>(i), p.text, control});
  }
  OrderedJson out;
  out["version"] = "1.0";
  out["truncation"] = nullptr;
  out["padding"] = nullptr;
  out["added_tokens"] = added_tokens_json(std::move(added));
  add_normalizers(model, out);
  bool bos = model.add_bos && valid(model.bos_id), eos = model.add_eos && valid(model.eos_id);
  auto text_of = [&](int32_t id) { return pieces[static_cast<size_t>(id)].text; };
  out["post_processor"] = template_processor(bos ? text_of(model.bos_id) : "", model.bos_id,
                                             eos ? text_of(model.eos_id) : "", model.eos_id);
  out["decoder"] = decoder_of(model);
  out["model"] = {{"type", "BPE"},
                  {"dropout", nullptr},
                  {"unk_token", valid(model.unk_id) ? OrderedJson(text_of(model.unk_id)) : OrderedJson()},
                  {"continuing_subword_prefix", nullptr},
                  {"end_of_word_suffix", nullptr},
                  {"fuse_unk", true},
                  {"byte_fallback", byte_fallback},
                  {"ignore_merges", false},
                  {"vocab", std::move(vocab)},
                  {"merges", merges_by_rank(rank_by_score(pieces), /*whole_characters=*/true, same)}};
  return out.dump();
}

Result<std::string> tokenizer_from_sentencepiece(std::string_view bytes, const Json& config) {
  PieceModel model;
  int kind = 1;
  ProtoReader in(bytes);
  bool ok = true;
  while (ok && in.next()) {
    if (in.field() == 1) ok = read_piece(in.bytes(), model.pieces.emplace_back());
    if (in.field() == 2) ok = read_trainer(in.bytes(), model, kind);
    if (in.field() == 3) ok = read_normalizer(in.bytes(), model);
  }
  if (!ok || !in.ok() || model.pieces.empty()) {
    return error(ErrorCode::kCorrupt, "not a SentencePiece model, or cut short (after {} pieces)", model.pieces.size());
  }
  if (kind != 2) {
    return error(ErrorCode::kUnsupported,
                 "a SentencePiece model of kind {} (1 unigram, 3 word, 4 character): only BPE (2) is converted; bring "
                 "the model's tokenizer.json",
                 kind);
  }
  auto flag = [&](const char* name, bool otherwise) {
    return config.is_object() && config.contains(name) && config[name].is_boolean() ? config[name].get<bool>()
                                                                                    : otherwise;
  };
  model.add_bos = flag("add_bos_token", true);
  model.add_eos = flag("add_eos_token", false);
  model.prefix_only_at_start = !flag("legacy", true);
  return tokenizer_from_pieces(model);
}

// Spaces are stored as spaces, and BOS and EOS with newlines around them; all kinds are told by position and spelling.
Result<std::string> tokenizer_from_llama2c(std::string_view file) {
  PieceModel model;
  size_t at = 4;  // the longest token's length comes first, and is of no use here
  while (at < file.size()) {
    int32_t size = -1;
    if (file.size() - at >= 8) std::memcpy(&size, file.data() + at + 4, 4);
    if (size < 0 || file.size() - at - 8 < static_cast<size_t>(size)) {
      return error(ErrorCode::kCorrupt, "not a llama2.c tokenizer, or cut short (after {} tokens)",
                   model.pieces.size());
    }
    Piece piece;
    std::memcpy(&piece.score, file.data() + at, 4);
    std::string text(file.substr(at + 8, static_cast<size_t>(size)));
    at += 8 + static_cast<size_t>(size);
    size_t id = model.pieces.size();
    if (id == 0) piece.type = PieceType::kUnknown;
    if (id == 1 || id == 2) {
      piece.type = PieceType::kControl;
      std::erase(text, '\n');
    }
    if (id > 2 && id < 259 && text.size() == 6 && text.starts_with("<0x")) piece.type = PieceType::kByte;
    for (char c : text) c == ' ' ? piece.text += kMark : piece.text += c;
    model.pieces.push_back(std::move(piece));
  }
  if (model.pieces.size() < 3) return error(ErrorCode::kCorrupt, "not a llama2.c tokenizer: it has no tokens");
  return tokenizer_from_pieces(model);
}

static Result<std::string> byte_level_from_gguf(const GgufVocab& vocab) {
  if (!known_pre_tokenizer(vocab.pre)) {
    return error(ErrorCode::kUnsupported, "GGUF pre-tokenizer \"{}\" is not known; bring the model's tokenizer.json",
                 vocab.pre);
  }
  OrderedJson ids = OrderedJson::object();
  std::vector<AddedToken> added;
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    append_entry(ids, vocab.tokens[i], i);
    int32_t type = i < vocab.types.size() ? vocab.types[i] : 1;
    if (type == 3 || type == 4) added.push_back({static_cast<int32_t>(i), vocab.tokens[i], type == 3});
  }
  bool llama3 = vocab.pre == "llama-bpe" || vocab.pre == "llama3";
  OrderedJson out = byte_level_tokenizer(vocab.pre, std::move(ids), OrderedJson(vocab.merges), llama3);
  out["added_tokens"] = added_tokens_json(std::move(added));
  auto text_of = [&](bool wanted, std::optional<int32_t> id) -> std::string {
    bool valid = wanted && id && *id >= 0 && static_cast<size_t>(*id) < vocab.tokens.size();
    return valid ? vocab.tokens[static_cast<size_t>(*id)] : "";
  };
  out["post_processor"] =
      template_processor(text_of(vocab.add_bos.value_or(llama3), vocab.bos_id), vocab.bos_id.value_or(-1),
                         text_of(vocab.add_eos.value_or(false), vocab.eos_id), vocab.eos_id.value_or(-1));
  return out.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Result<std::string> tokenizer_from_gguf(const GgufVocab& vocab) {
  if (vocab.model == "gpt2") return byte_level_from_gguf(vocab);
  if (vocab.model != "llama") {
    return error(ErrorCode::kUnsupported, "GGUF tokenizer model \"{}\": known are \"llama\" and \"gpt2\"", vocab.model);
  }
  if (vocab.scores.size() != vocab.tokens.size() || vocab.types.size() != vocab.tokens.size()) {
    return error(ErrorCode::kCorrupt, "GGUF tokenizer: {} tokens but {} scores and {} types", vocab.tokens.size(),
                 vocab.scores.size(), vocab.types.size());
  }
  PieceModel model;
  for (size_t i = 0; i < vocab.tokens.size(); ++i) {
    int32_t type = std::clamp(vocab.types[i], 1, 6);
    model.pieces.push_back({vocab.tokens[i], vocab.scores[i], static_cast<PieceType>(type)});
    if (type == 2) model.unk_id = static_cast<int32_t>(i);
  }
  model.bos_id = vocab.bos_id.value_or(1);
  model.eos_id = vocab.eos_id.value_or(2);
  model.add_bos = vocab.add_bos.value_or(true);
  model.add_eos = vocab.add_eos.value_or(false);
  model.add_dummy_prefix = vocab.add_space_prefix;
  return tokenizer_from_pieces(model);
}

}  // namespace mlc::text
