#include "text/utf8.h"

#include <cstdint>

namespace mlc::text {

Utf8Step next_utf8(std::string_view bytes) {
  auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  uint8_t lead = at(0);
  if (lead < 0x80) return {Utf8Kind::kCharacter, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8Kind::kBroken, 1};
  size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and values that are too large.
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {Utf8Kind::kIncomplete, i};
    if (at(i) < low || at(i) > high) return {Utf8Kind::kBroken, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8Kind::kCharacter, length};
}

size_t find_invalid_utf8(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    Utf8Step step = next_utf8(bytes.substr(at));
    if (step.kind != Utf8Kind::kCharacter) return at;
    at += step.size;
  }
  return std::string_view::npos;
}

std::string replace_invalid(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    Utf8Step step = next_utf8(bytes.substr(at));
    if (step.kind == Utf8Kind::kCharacter) {
      out += bytes.substr(at, step.size);
    } else {
      out += kReplacement;
    }
    at += step.size;
  }
  return out;
}

}  // namespace mlc::text
