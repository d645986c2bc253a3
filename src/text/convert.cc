#include "text/convert.h"

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "text/convert_parts.h"
#include "text/tokenizer.h"

namespace mlc::text {
namespace {

// The id by which the vocabulary or the added tokens know a token, or -1.
int32_t find_id(const OrderedJson& tokenizer, const std::string& token) {
  for (const OrderedJson& added : tokenizer["added_tokens"]) {
    if (added["content"] == token) return added["id"].get<int32_t>();
  }
  const OrderedJson& vocab = tokenizer["model"]["vocab"];
  return vocab.contains(token) ? vocab[token].get<int32_t>() : -1;
}

bool config_flag(const Json& config, const char* name, bool otherwise) {
  if (!config.is_object() || !config.contains(name) || !config[name].is_boolean()) return otherwise;
  return config[name].get<bool>();
}

void add_post_processor(OrderedJson& tokenizer, const Json& config, bool bos_by_default) {
  auto pick = [&](const char* flag, const char* name, bool otherwise) -> std::string {
    return config_flag(config, flag, otherwise) ? special_token_text(config, name).value_or("") : "";
  };
  std::string bos = pick("add_bos_token", "bos_token", bos_by_default);
  std::string eos = pick("add_eos_token", "eos_token", false);
  int32_t bos_id = find_id(tokenizer, bos), eos_id = find_id(tokenizer, eos);
  tokenizer["post_processor"] = template_processor(bos_id < 0 ? "" : bos, bos_id, eos_id < 0 ? "" : eos, eos_id);
}

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

// Llama 3's special tokens, which its tokenizer.model does not hold, by their distance from the last rank.
std::vector<AddedToken> llama3_special_tokens(int32_t first) {
  std::vector<std::string> names = {"<|begin_of_text|>",
                                    "<|end_of_text|>",
                                    "<|reserved_special_token_0|>",
                                    "<|reserved_special_token_1|>",
                                    "<|finetune_right_pad_id|>",
                                    "<|reserved_special_token_2|>",
                                    "<|start_header_id|>",
                                    "<|end_header_id|>",
                                    "<|eom_id|>",
                                    "<|eot_id|>",
                                    "<|python_tag|>"};
  for (int i = 3; names.size() < 256; ++i) names.push_back("<|reserved_special_token_" + std::to_string(i) + "|>");
  std::vector<AddedToken> out;
  for (size_t i = 0; i < names.size(); ++i) out.push_back({first + static_cast<int32_t>(i), names[i]});
  return out;
}

Result<std::unordered_map<std::string, int64_t>> parse_ranks(std::string_view text) {
  std::unordered_map<std::string, int64_t> ranks;
  size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    size_t space = line.find(' ');
    std::string token;
    std::string_view number = space == std::string_view::npos ? "" : line.substr(space + 1);
    if (number.empty() || number.size() > 9 || number.find_first_not_of("0123456789") != std::string_view::npos ||
        !base64_decode(line.substr(0, space), token) || token.empty()) {
      return error(ErrorCode::kCorrupt, "line {}: expected \"<base64 token> <rank>\"", line_number);
    }
    ranks[token] = std::stoll(std::string(number));
  }
  return ranks;
}

}  // namespace

Result<std::string> tokenizer_from_tiktoken(std::string_view text, const Json& config) {
  MLC_TRY(auto ranks, parse_ranks(text));
  constexpr size_t kLlama3Ranks = 128000;
  if (ranks.size() != kLlama3Ranks) {
    return error(ErrorCode::kUnsupported,
                 "a tiktoken vocabulary of {} tokens: only Llama 3's ({} tokens) has a known pre-tokenizer; bring the "
                 "model's tokenizer.json",
                 ranks.size(), kLlama3Ranks);
  }
  std::vector<const std::string*> by_rank(ranks.size());
  for (const auto& [token, rank] : ranks) {
    if (rank >= static_cast<int64_t>(by_rank.size()) || by_rank[static_cast<size_t>(rank)]) {
      return error(ErrorCode::kCorrupt, "ranks are not 0 to {}, each once", by_rank.size() - 1);
    }
    by_rank[static_cast<size_t>(rank)] = &token;
  }
  OrderedJson vocab = OrderedJson::object();
  for (size_t i = 0; i < by_rank.size(); ++i) {
    append_entry(vocab, byte_level_text(*by_rank[i]), i);
  }
  // A word that is a token is that token, whatever the merges say: tiktoken looks it up first.
  OrderedJson out = byte_level_tokenizer("llama3", std::move(vocab),
                                         merges_by_rank(ranks, /*whole_characters=*/false, byte_level_text), true);
  std::vector<AddedToken> added = added_tokens_of_config(config);
  if (added.empty()) added = llama3_special_tokens(static_cast<int32_t>(kLlama3Ranks));
  out["added_tokens"] = added_tokens_json(added);
  std::string bos = special_token_text(config, "bos_token").value_or("<|begin_of_text|>");
  if (!config_flag(config, "add_bos_token", true)) bos.clear();
  int32_t bos_id = find_id(out, bos);
  out["post_processor"] = template_processor(bos_id < 0 ? "" : bos, bos_id, "", -1);
  return dump(out);
}

static Result<OrderedJson> parse_merges(std::string_view text) {
  OrderedJson merges = OrderedJson::array();
  size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    if (std::count(line.begin(), line.end(), ' ') != 1) {
      return error(ErrorCode::kCorrupt, "merges: line {}: expected two tokens with a space between", line_number);
    }
    merges.push_back(std::string(line));
  }
  return merges;
}

// The pre-tokenizer of a model family, by its tokenizer class.
static Result<std::string> pre_of_class(const Json& config) {
  std::string name =
      config.is_object() ? config.value("tokenizer_class", std::string("GPT2Tokenizer")) : "GPT2Tokenizer";
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (name == "Qwen2Tokenizer") return std::string("qwen2");
  if (name == "GPT2Tokenizer" || name == "CodeGenTokenizer" || name == "PreTrainedTokenizer")
    return std::string("gpt-2");
  return error(ErrorCode::kUnsupported,
               "tokenizer_class {}: known with vocab.json and merges.txt are GPT2Tokenizer, CodeGenTokenizer and "
               "Qwen2Tokenizer; bring the model's tokenizer.json",
               name);
}

Result<std::string> tokenizer_from_vocab_and_merges(const Json& vocab, std::string_view merges_text, const Json& config,
                                                    const Json& added_tokens) {
  MLC_TRY(std::string pre, pre_of_class(config));
  MLC_TRY(OrderedJson merges, parse_merges(merges_text));
  if (!vocab.is_object()) return error(ErrorCode::kCorrupt, "vocab: expected an object of token: id");
  std::vector<std::pair<int32_t, std::string>> by_id;
  for (const auto& [token, id] : vocab.items()) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX) {
      return error(ErrorCode::kCorrupt, "vocab: token {}: expected a non-negative id, found {}", token, id.dump());
    }
    by_id.emplace_back(id.get<int32_t>(), token);
  }
  std::sort(by_id.begin(), by_id.end());
  OrderedJson ordered = OrderedJson::object();
  for (auto& [id, token] : by_id) append_entry(ordered, token, static_cast<size_t>(id));
  OrderedJson out = byte_level_tokenizer(pre, std::move(ordered), std::move(merges), false);

  std::vector<AddedToken> added = added_tokens_of_config(config);
  if (added_tokens.is_object()) {
    for (const auto& [token, id] : added_tokens.items()) {
      if (id.is_number_integer()) added.push_back({id.get<int32_t>(), token, token.starts_with("<|")});
    }
  }
  // GPT-2's files name no special token, but its vocabulary has one.
  if (added.empty() && vocab.contains("<|endoftext|>")) {
    added.push_back({vocab["<|endoftext|>"].get<int32_t>(), "<|endoftext|>"});
  }
  out["added_tokens"] = added_tokens_json(std::move(added));
  add_post_processor(out, config, false);
  return dump(out);
}

static Result<std::string> assemble_from_model_file(const std::string& path, const Json& config) {
  MLC_TRY(std::string bytes, read_file(path));
  // A tiktoken file is lines of text; a SentencePiece file starts with a protobuf tag, 0x0A.
  size_t space = bytes.find(' ');
  std::string ignored;
  bool tiktoken =
      space != std::string::npos && space < 512 && base64_decode(std::string_view(bytes).substr(0, space), ignored);
  if (tiktoken) return tokenizer_from_tiktoken(bytes, config).context("{}", path);
  return tokenizer_from_sentencepiece(bytes, config).context("{}", path);
}

static Result<std::string> assemble_from_vocab(const std::string& vocab_path, const std::string& merges_path,
                                               const std::string& dir, const Json& config) {
  MLC_TRY(Json vocab, read_json_file(vocab_path));
  MLC_TRY(std::string merges, read_file(merges_path));
  Json added;
  if (std::string path = join_path(dir, "added_tokens.json"); path_exists(path)) {
    MLC_TRY(added, read_json_file(path));
  }
  return tokenizer_from_vocab_and_merges(vocab, merges, config, added).context("{}", vocab_path);
}

Result<std::string> assemble_tokenizer_json(const std::string& dir) {
  Json config;
  if (std::string path = join_path(dir, "tokenizer_config.json"); path_exists(path)) {
    MLC_TRY(config, read_json_file(path));
  }
  auto file = [&](const char* name) { return join_path(dir, name); };
  if (path_exists(file("tokenizer.model"))) return assemble_from_model_file(file("tokenizer.model"), config);
  for (auto [vocab, merges] : {std::pair{"vocab.json", "merges.txt"}, std::pair{"encoder.json", "vocab.bpe"}}) {
    if (path_exists(file(vocab)) && path_exists(file(merges))) {
      return assemble_from_vocab(file(vocab), file(merges), dir, config);
    }
  }
  for (const char* name : {"tokenizer.bin", "tok512.bin", "tok4096.bin", "tok32000.bin"}) {
    if (!path_exists(file(name))) continue;
    MLC_TRY(std::string bytes, read_file(file(name)));
    return tokenizer_from_llama2c(bytes).context("{}", file(name));
  }
  return error(ErrorCode::kNotFound,
               "{}: no tokenizer here; expected tokenizer.json, tokenizer.model, vocab.json with merges.txt, or "
               "tokenizer.bin",
               dir);
}

}  // namespace mlc::text
