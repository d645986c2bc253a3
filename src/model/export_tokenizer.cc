// The tokenizer of a GGUF file: byte-level BPE as tokenizer.json has it, else placeholders.
#include <fmt/format.h>

#include "base/json.h"
#include "model/export_gguf.h"

namespace mlc::model {
namespace {

// llama.cpp's numbers for kinds of tokens.
constexpr int32_t kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5;

// llama.cpp knows pre-tokenizers by name; these are the ones that the supported architectures come with.
std::string pre_tokenizer_name(const Json& tokenizer, const ModelConfig& c) {
  const std::string pre = tokenizer.contains("pre_tokenizer") ? tokenizer["pre_tokenizer"].dump() : "";
  if (pre.find("\"Digits\"") != std::string::npos) return "smollm";
  if (c.model_type == "qwen2") return "qwen2";
  return pre.find("\"Split\"") != std::string::npos ? "llama-bpe" : "gpt-2";
}

struct Vocabulary {
  std::vector<std::string> tokens, merges;
  std::vector<int32_t> types;

  explicit Vocabulary(int64_t size) : types(static_cast<size_t>(size), kUnused) {
    for (int64_t i = 0; i < size; ++i) tokens.push_back(fmt::format("[PAD{}]", i));
  }
  bool put(const Json& id, const std::string& text, int32_t type) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= static_cast<int64_t>(tokens.size())) {
      return false;
    }
    const auto i = id.get<size_t>();
    tokens[i] = text;
    types[i] = type;
    return true;
  }
};

bool is_byte_level_bpe(const Json& t) {
  if (!t.is_object() || !t.contains("model") || !t["model"].is_object()) return false;
  const Json& m = t["model"];
  return m.value("type", Json()) == "BPE" && m.contains("vocab") && m["vocab"].is_object() && m.contains("merges") &&
         m["merges"].is_array() && t.contains("decoder") &&
         t["decoder"].dump().find("\"ByteLevel\"") != std::string::npos;
}

// False: something does not look like a tokenizer.json.
bool read_bpe(const Json& t, Vocabulary& v) {
  for (const auto& [text, id] : t["model"]["vocab"].items()) {
    if (!v.put(id, text, kNormal)) return false;
  }
  for (const Json& merge : t["model"]["merges"]) {  // "a b", or ["a", "b"] in newer files
    if (merge.is_string()) {
      v.merges.push_back(merge.get<std::string>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      v.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    } else {
      return false;
    }
  }
  if (!t.contains("added_tokens") || !t["added_tokens"].is_array()) return true;
  for (const Json& a : t["added_tokens"]) {
    if (!a.is_object() || !a.contains("id") || !a.contains("content") || !a["content"].is_string()) return false;
    const bool special = a.contains("special") && a["special"] == true;
    if (!v.put(a["id"], a["content"].get<std::string>(), special ? kControl : kUserDefined)) return false;
  }
  return true;
}

}  // namespace

Result<bool> add_gguf_tokenizer(weights::GgufWriter& w, const ModelConfig& c, const std::string& file) {
  auto token = [&](const char* key, int64_t id) {
    if (id >= 0 && id < c.vocab_size) w.meta(fmt::format("tokenizer.ggml.{}_token_id", key), static_cast<uint32_t>(id));
  };
  Json t;
  if (!file.empty()) {
    MLC_TRY(t, read_json_file(file));
  }
  if (!is_byte_level_bpe(t)) {
    w.meta("tokenizer.ggml.model", std::string("none"));
    return false;
  }
  Vocabulary v(c.vocab_size);
  if (!read_bpe(t, v)) {
    return error(ErrorCode::kCorrupt, "{}: its vocabulary or merges do not fit a byte-level BPE of {} tokens", file,
                 c.vocab_size);
  }
  w.meta("tokenizer.ggml.model", std::string("gpt2"));
  w.meta("tokenizer.ggml.pre", pre_tokenizer_name(t, c));
  w.meta("tokenizer.ggml.tokens", std::move(v.tokens));
  w.meta("tokenizer.ggml.token_type", std::move(v.types));
  w.meta("tokenizer.ggml.merges", std::move(v.merges));
  token("bos", c.bos_token_id);
  token("eos", c.eos_token_ids.empty() ? -1 : c.eos_token_ids[0]);
  token("padding", c.pad_token_id);
  w.meta("tokenizer.ggml.add_bos_token", false);
  return true;
}

}  // namespace mlc::model
