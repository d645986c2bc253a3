// Pieces of a tokenizer.json that the converters share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mlc::text {

// The numbers that SentencePiece, llama2.c and GGUF give to the kinds of tokens.
enum class PieceType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct Piece {
  std::string text;
  float score = 0;
  PieceType type = PieceType::kNormal;
};

struct PieceModel {
  std::vector<Piece> pieces;
  int32_t unk_id = 0;
  int32_t bos_id = 1;
  int32_t eos_id = 2;
  bool add_bos = true;
  bool add_eos = false;
  bool add_dummy_prefix = true;       // a space goes before the text
  bool prefix_only_at_start = false;  // ... but not after a special token ("legacy": false)
  bool remove_extra_whitespace = false;
  std::string precompiled_charsmap;  // SentencePiece's own normalizer table
};

// SentencePiece BPE as a merge list over the pieces.
Result<std::string> tokenizer_from_pieces(const PieceModel& model);

struct AddedToken {
  int32_t id;
  std::string content;
  bool special = true;
  bool lstrip = false, rstrip = false, single_word = false, normalized = false;
};
// Sorted by id, without duplicates.
OrderedJson added_tokens_json(std::vector<AddedToken> tokens);
std::vector<AddedToken> added_tokens_of_config(const Json& config);

// A post-processor that puts these tokens around a text; null when both are absent.
OrderedJson template_processor(const std::string& bos, int32_t bos_id, const std::string& eos, int32_t eos_id);

// Byte-level BPE. `pre`: the name of a pre-tokenizer, see byte_level_parts.
OrderedJson byte_level_tokenizer(const std::string& pre, OrderedJson vocab, OrderedJson merges, bool ignore_merges);
// Whether byte_level_tokenizer knows the name.
bool known_pre_tokenizer(const std::string& pre);
// GPT-2's printable stand-ins for bytes, as one UTF-8 string.
std::string byte_level_text(std::string_view bytes);

// "left right" for all ways to make each token out of two others, the best token first: `rank` gives a token's place
// (small is early); tokens absent from it neither merge nor result.
OrderedJson merges_by_rank(const std::unordered_map<std::string, int64_t>& rank, bool whole_characters,
                           std::string (*spell)(std::string_view));

// Adds "key": id at the end of an object without looking for the key, which would take time for every entry before it.
void append_entry(OrderedJson& object, std::string key, size_t id);

std::string base64_encode(std::string_view bytes);
// False when the text is not base64.
bool base64_decode(std::string_view text, std::string& out);

}  // namespace mlc::text
