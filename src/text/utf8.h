// UTF-8, the little that streaming text needs.
//
//   Utf8Step s = next_utf8("\xC3");        // {kIncomplete, 1}: more bytes may complete the character
//   std::string text = replace_invalid(bytes);   // every broken sequence becomes U+FFFD
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mlc::text {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

enum class Utf8Kind { kCharacter, kBroken, kIncomplete };

struct Utf8Step {
  Utf8Kind kind;
  size_t size;  // bytes of the character, of the longest broken prefix, or of what is there so far
};

// Looks at the first character of `bytes`, which is not empty. Overlong forms, surrogates and values above U+10FFFF
// are broken; a broken sequence ends before the first byte that cannot continue it (Unicode's "maximal subpart").
Utf8Step next_utf8(std::string_view bytes);

// The offset of the first byte that is not valid UTF-8, or npos.
size_t find_invalid_utf8(std::string_view bytes);

std::string replace_invalid(std::string_view bytes);

}  // namespace mlc::text
