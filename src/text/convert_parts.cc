#include "text/convert_parts.h"

#include <algorithm>
#include <map>

#include "text/utf8.h"

namespace mlc::text {
namespace {

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else {  // the table below ends at U+0143
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

// Splits before the byte-level step, by the names that GGUF files use. Each is what its model family published.
const std::map<std::string, std::vector<std::string>>& split_patterns() {
  static const std::string llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  static const std::string qwen2 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  static const std::map<std::string, std::vector<std::string>> table = {
      {"llama-bpe", {llama3}},
      {"llama3", {llama3}},
      {"qwen2", {qwen2}},
      {"deepseek-r1-qwen", {qwen2}},
      {"deepseek-llm",
       {R"([\r\n])", R"(\s?[\p{Lu}\p{Ll}\p{Lt}]+)", R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", R"(\s+$)",
        R"([一-龥ࠀ-一가-퟿]+)", R"(\p{N})"}},
      {"gpt-2", {}},
      {"smollm", {R"(\p{N})"}},
  };
  return table;
}

}  // namespace

bool known_pre_tokenizer(const std::string& pre) { return split_patterns().contains(pre); }

std::string byte_level_text(std::string_view bytes) {
  std::string out;
  for (char c : bytes) {
    uint32_t b = static_cast<uint8_t>(c);
    if (b <= 0x20) {
      append_utf8(out, 0x100 + b);
    } else if (b >= 0x7F && b <= 0xA0) {
      append_utf8(out, 0x121 + b - 0x7F);
    } else {
      append_utf8(out, b == 0xAD ? 0x143 : b);
    }
  }
  return out;
}

OrderedJson added_tokens_json(std::vector<AddedToken> tokens) {
  std::stable_sort(tokens.begin(), tokens.end(), [](auto& a, auto& b) { return a.id < b.id; });
  OrderedJson out = OrderedJson::array();
  int32_t last = -1;
  for (const AddedToken& t : tokens) {
    if (t.id == last) continue;
    last = t.id;
    out.push_back(OrderedJson{{"id", t.id},
                              {"content", t.content},
                              {"single_word", t.single_word},
                              {"lstrip", t.lstrip},
                              {"rstrip", t.rstrip},
                              {"normalized", t.normalized},
                              {"special", t.special}});
  }
  return out;
}

std::vector<AddedToken> added_tokens_of_config(const Json& config) {
  std::vector<AddedToken> out;
  if (!config.is_object() || !config.contains("added_tokens_decoder")) return out;
  const Json& table = config["added_tokens_decoder"];
  if (!table.is_object()) return out;
  for (const auto& [key, value] : table.items()) {
    if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!value.is_object() || !value.contains("content") || !value["content"].is_string()) continue;
    auto flag = [&v = value](const char* name) {
      return v.contains(name) && v[name].is_boolean() && v[name].get<bool>();
    };
    out.push_back({std::stoi(key), value["content"].get<std::string>(), flag("special"), flag("lstrip"), flag("rstrip"),
                   flag("single_word"), flag("normalized")});
  }
  return out;
}

OrderedJson template_processor(const std::string& bos, int32_t bos_id, const std::string& eos, int32_t eos_id) {
  if (bos.empty() && eos.empty()) return nullptr;
  OrderedJson single = OrderedJson::array(), pair = OrderedJson::array(), special = OrderedJson::object();
  auto add_sequence = [&](OrderedJson& list, const char* id, int type) {
    auto token = [&](const std::string& text) {
      if (!text.empty()) list.push_back({{"SpecialToken", {{"id", text}, {"type_id", type}}}});
    };
    token(bos);
    list.push_back({{"Sequence", {{"id", id}, {"type_id", type}}}});
    token(eos);
  };
  add_sequence(single, "A", 0);
  add_sequence(pair, "A", 0);
  add_sequence(pair, "B", 1);
  auto declare = [&](const std::string& text, int32_t id) {
    if (text.empty()) return;
    special[text] =
        OrderedJson{{"id", text}, {"ids", OrderedJson::array({id})}, {"tokens", OrderedJson::array({text})}};
  };
  declare(bos, bos_id);
  declare(eos, eos_id);
  return OrderedJson{{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

OrderedJson byte_level_tokenizer(const std::string& pre, OrderedJson vocab, OrderedJson merges, bool ignore_merges) {
  const std::vector<std::string>& patterns = split_patterns().at(pre);
  // The plain ByteLevel step splits by GPT-2's own pattern; others bring theirs.
  bool own_pattern = pre == "gpt-2" || pre == "smollm";
  OrderedJson byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", own_pattern}};
  OrderedJson steps = OrderedJson::array();
  for (const std::string& pattern : patterns) {
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  steps.push_back(byte_level);
  OrderedJson decoder = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  OrderedJson out;
  out["version"] = "1.0";
  out["truncation"] = nullptr;
  out["padding"] = nullptr;
  out["added_tokens"] = OrderedJson::array();
  out["normalizer"] = pre == "qwen2" || pre == "deepseek-r1-qwen" ? OrderedJson{{"type", "NFC"}} : OrderedJson();
  out["pre_tokenizer"] =
      steps.size() == 1 ? byte_level : OrderedJson{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
  out["post_processor"] = nullptr;
  out["decoder"] = decoder;
  out["model"] = {{"type", "BPE"},
                  {"dropout", nullptr},
                  {"unk_token", nullptr},
                  {"continuing_subword_prefix", nullptr},
                  {"end_of_word_suffix", nullptr},
                  {"fuse_unk", false},
                  {"byte_fallback", false},
                  {"ignore_merges", ignore_merges},
                  {"vocab", std::move(vocab)},
                  {"merges", std::move(merges)}};
  return out;
}

OrderedJson merges_by_rank(const std::unordered_map<std::string, int64_t>& rank, bool whole_characters,
                           std::string (*spell)(std::string_view)) {
  struct Merge {
    int64_t result, left, right;
    std::string text;
  };
  std::vector<Merge> merges;
  for (const auto& [token, result] : rank) {
    size_t step = 0;
    for (size_t cut = 0; cut < token.size(); cut += step) {
      step = whole_characters ? next_utf8(std::string_view(token).substr(cut)).size : 1;
      if (cut == 0) continue;
      auto left = rank.find(token.substr(0, cut)), right = rank.find(token.substr(cut));
      if (left == rank.end() || right == rank.end()) continue;
      merges.push_back({result, left->second, right->second, spell(left->first) + " " + spell(right->first)});
    }
  }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tie(a.result, a.left, a.right) < std::tie(b.result, b.left, b.right);
  });
  OrderedJson out = OrderedJson::array();
  for (Merge& m : merges) out.push_back(std::move(m.text));
  return out;
}

void append_entry(OrderedJson& object, std::string key, size_t id) {
  static_cast<OrderedJson::object_t::Container&>(object.get_ref<OrderedJson::object_t&>())
      .emplace_back(std::move(key), id);
}

static constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64_encode(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= count ? kBase64[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

bool base64_decode(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0) return false;
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t group = 0;
    size_t pads = 0;
    for (size_t k = 0; k < 4; ++k) {
      bool pad = text[i + k] == '=' && i + 4 == text.size() && k >= 2;
      size_t value = pad ? 0 : kBase64.find(text[i + k]);
      if (value == std::string_view::npos || (pads > 0 && !pad)) return false;
      pads += pad;
      group = group << 6 | static_cast<uint32_t>(value);
    }
    for (size_t k = 0; k + pads < 3; ++k) out += static_cast<char>(group >> (16 - 8 * k) & 0xFF);
  }
  return true;
}

}  // namespace mlc::text
