#include "text/tokenizer.h"

#include "base/file.h"
#include "text/convert.h"
#include "text/grammar_cache.h"
#include "text/rust_glue.h"
#include "text/utf8.h"

namespace mlc::text {

struct Tokenizer::Impl {
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    grammars.reset();
    mlc_rs_tokenizer_free(rust);
  }

  MlcRsTokenizer* rust = nullptr;
  std::string bytes;              // all tokens' bytes, joined
  std::vector<uint32_t> offsets;  // token i is bytes[offsets[i], offsets[i + 1])
  std::string flags;              // MLC_RS_TOKEN_* per token
  JoinRule join;
  std::optional<int32_t> bos, eos, pad;
  Json config;
  std::unique_ptr<GrammarCache> grammars;  // changes by use, which takes its own locks

  bool has(int32_t id, int flag) const {
    return id >= 0 && static_cast<size_t>(id) < flags.size() && (flags[static_cast<size_t>(id)] & flag) != 0;
  }
};

std::optional<std::string> special_token_text(const Json& config, const std::string& name) {
  if (!config.is_object() || !config.contains(name)) return std::nullopt;
  const Json& value = config[name];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    return value["content"].get<std::string>();
  }
  return std::nullopt;
}

Result<Tokenizer> Tokenizer::from_directory(const std::string& dir) {
  if (!is_directory(dir)) return error(ErrorCode::kNotFound, "{}: no such directory", dir);
  Json config;
  std::string config_path = join_path(dir, "tokenizer_config.json");
  if (path_exists(config_path)) {
    MLC_TRY(config, read_json_file(config_path));
  }
  std::string path = join_path(dir, "tokenizer.json");
  if (path_exists(path)) {
    MLC_TRY(std::string json, read_file(path));
    auto tokenizer = from_json(json, config);
    if (tokenizer || !path_exists(join_path(dir, "tokenizer.model"))) return std::move(tokenizer).context("{}", path);
    return error(tokenizer.error().code, "{}: {}; remove this file to have it assembled from tokenizer.model", path,
                 tokenizer.error().message);
  }
  MLC_TRY(std::string json, assemble_tokenizer_json(dir));
  return from_json(json, config).context("{}: the assembled tokenizer", dir);
}

static Result<void> read_table(MlcRsTokenizer* rust, std::string& bytes, std::vector<uint32_t>& offsets,
                               std::string& flags, JoinRule& join) {
  RustBytes all, marks, failure;
  RustIds starts;
  MlcRsDecoderInfo info{};
  if (mlc_rs_tokenizer_table(rust, all.out(), starts.out(), marks.out(), &info, failure.out()) != MLC_RS_OK) {
    return error(ErrorCode::kCorrupt, "{}", failure.view());
  }
  bytes = all.str();
  offsets.assign(starts.data(), starts.data() + starts.size());
  flags = marks.str();
  join.kind = static_cast<JoinRule::Kind>(info.kind);
  join.strip_left = static_cast<int>(info.strip_left);
  join.first_drops_mark = info.first_drops_mark != 0;
  return {};
}

Result<Tokenizer> Tokenizer::from_json(std::string_view tokenizer_json, const Json& config) {
  auto impl = std::make_shared<Impl>();
  std::string added;
  if (config.is_object() && config.contains("added_tokens_decoder") && config["added_tokens_decoder"].is_object()) {
    added = config["added_tokens_decoder"].dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  RustBytes failure;
  int32_t status = mlc_rs_tokenizer_new(bytes_of(tokenizer_json), tokenizer_json.size(), bytes_of(added), added.size(),
                                        &impl->rust, failure.out());
  if (status != MLC_RS_OK) return error(ErrorCode::kCorrupt, "cannot read the tokenizer: {}", failure.view());
  MLC_TRY_VOID(read_table(impl->rust, impl->bytes, impl->offsets, impl->flags, impl->join));
  auto id_of = [&](const char* name) -> std::optional<int32_t> {
    auto text = special_token_text(config, name);
    if (!text) return std::nullopt;
    int64_t id = mlc_rs_tokenizer_token_to_id(impl->rust, bytes_of(*text), text->size());
    return id < 0 ? std::nullopt : std::optional<int32_t>(static_cast<int32_t>(id));
  };
  impl->bos = id_of("bos_token");
  impl->eos = id_of("eos_token");
  impl->pad = id_of("pad_token");
  impl->config = config;
  impl->grammars = std::make_unique<GrammarCache>(impl->rust);
  return Tokenizer(std::move(impl));
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  RustIds ids;
  RustBytes failure;
  int32_t status =
      mlc_rs_tokenizer_encode(impl_->rust, bytes_of(text), text.size(), add_special_tokens, ids.out(), failure.out());
  if (status != MLC_RS_OK) return error("cannot encode: {}", failure.view());
  return std::vector<int32_t>(ids.data(), ids.data() + ids.size());
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  if (impl_->join.kind == JoinRule::Kind::kByteLevel) {
    // Joined here and not by the library, which takes an added token such as "ü" for the byte 0xFC.
    std::string bytes;
    for (int32_t id : ids) {
      if (!skip_special_tokens || !is_special(id)) bytes += token_bytes(id);
    }
    return replace_invalid(bytes);
  }
  // A negative id becomes a huge one, which does not exist: it decodes to nothing.
  static_assert(sizeof(int32_t) == sizeof(uint32_t));
  RustBytes out, failure;
  int32_t status = mlc_rs_tokenizer_decode(impl_->rust, reinterpret_cast<const uint32_t*>(ids.data()), ids.size(),
                                           skip_special_tokens, out.out(), failure.out());
  if (status != MLC_RS_OK) return error("cannot decode: {}", failure.view());
  return out.str();
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(impl_->flags.size()); }

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (!exists(id)) return {};
  size_t i = static_cast<size_t>(id);
  return std::string_view(impl_->bytes).substr(impl_->offsets[i], impl_->offsets[i + 1] - impl_->offsets[i]);
}

bool Tokenizer::exists(int32_t id) const { return impl_->has(id, MLC_RS_TOKEN_EXISTS); }
bool Tokenizer::is_special(int32_t id) const { return impl_->has(id, MLC_RS_TOKEN_SPECIAL); }
bool Tokenizer::is_added(int32_t id) const { return impl_->has(id, MLC_RS_TOKEN_ADDED); }
bool Tokenizer::is_byte_fallback(int32_t id) const { return impl_->has(id, MLC_RS_TOKEN_BYTE); }

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const {
  int64_t id = mlc_rs_tokenizer_token_to_id(impl_->rust, bytes_of(token), token.size());
  return id < 0 ? std::nullopt : std::optional<int32_t>(static_cast<int32_t>(id));
}

std::optional<std::string> Tokenizer::id_to_token(int32_t id) const {
  if (!exists(id)) return std::nullopt;
  RustBytes out, failure;
  if (mlc_rs_tokenizer_id_to_token(impl_->rust, static_cast<uint32_t>(id), out.out(), failure.out()) != MLC_RS_OK) {
    return std::nullopt;
  }
  return out.str();
}

JoinRule Tokenizer::join_rule() const { return impl_->join; }
std::optional<int32_t> Tokenizer::bos_id() const { return impl_->bos; }
std::optional<int32_t> Tokenizer::eos_id() const { return impl_->eos; }
std::optional<int32_t> Tokenizer::pad_id() const { return impl_->pad; }
const Json& Tokenizer::config() const { return impl_->config; }
GrammarCache& Tokenizer::grammars() const { return *impl_->grammars; }

}  // namespace mlc::text
