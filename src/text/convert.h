// Assembles a Hugging Face tokenizer.json where a model comes without one.
//
//   MLC_TRY(std::string json, assemble_tokenizer_json("models/llama2"));   // from whatever files are there
//
// The result is the text of a tokenizer.json that Hugging Face's libraries read too. It encodes as the original does
// (tests compare 47 texts per vocabulary with independent goldens). `config` is tokenizer_config.json, or null; from it
// come added tokens, whether BOS and EOS are added, and the tokenizer class that decides the pre-tokenizer.
// Errors: kNotFound, kCorrupt, and kUnsupported with the name of what is not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mlc::text {

// Looks for, in this order: tokenizer.model (SentencePiece or tiktoken), vocab.json + merges.txt (or encoder.json +
// vocab.bpe), tokenizer.bin or tok<size>.bin (llama2.c).
Result<std::string> assemble_tokenizer_json(const std::string& dir);

// A SentencePiece model of the BPE kind (Llama 1/2, Mistral v1 to v3 and v7, Phi-3, Gemma): the protobuf file's bytes.
Result<std::string> tokenizer_from_sentencepiece(std::string_view model, const Json& config);
// Llama 3's tokenizer.model: lines of "<base64 token> <rank>".
Result<std::string> tokenizer_from_tiktoken(std::string_view ranks, const Json& config);
// GPT-2 style byte-level BPE. `added_tokens`: added_tokens.json ({"<tok>": id}), or null.
Result<std::string> tokenizer_from_vocab_and_merges(const Json& vocab, std::string_view merges, const Json& config,
                                                    const Json& added_tokens);
// llama2.c's tokenizer.bin: the longest token's length, then (score, length, bytes) per token.
Result<std::string> tokenizer_from_llama2c(std::string_view file);

// The vocabulary that a GGUF file carries under "tokenizer.ggml.*".
struct GgufVocab {
  std::string model;                // "llama" (SentencePiece BPE) or "gpt2" (byte-level BPE)
  std::string pre;                  // which pre-tokenizer: "llama-bpe", "qwen2", "gpt-2", "deepseek-llm", ...
  std::vector<std::string> tokens;  // by id
  std::vector<float> scores;        // "llama" only
  std::vector<int32_t> types;       // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
  std::vector<std::string> merges;  // "gpt2" only: "left right"
  std::optional<int32_t> bos_id, eos_id;
  std::optional<bool> add_bos, add_eos;
  bool add_space_prefix = true;  // "llama" only
};
Result<std::string> tokenizer_from_gguf(const GgufVocab& vocab);

}  // namespace mlc::text
