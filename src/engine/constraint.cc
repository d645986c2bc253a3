#include "engine/constraint.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace mlc::engine {

void apply_mask(std::span<const uint32_t> bits, std::span<float> logits) {
  MLC_CHECK(bits.size() == (logits.size() + 31) / 32, "{} words of bits for {} logits", bits.size(), logits.size());
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  for (size_t word = 0; word < bits.size(); ++word) {
    const uint32_t allowed = bits[word];
    if (allowed == ~uint32_t{0}) continue;
    const size_t first = word * 32, count = std::min<size_t>(32, logits.size() - first);
    float* out = logits.data() + first;
    for (size_t i = 0; i < count; ++i) out[i] = ((allowed >> i) & 1) != 0 ? out[i] : kNever;
  }
}

}  // namespace mlc::engine
